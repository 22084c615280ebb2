//! Headless commands, one file each: words in, domain call, table or JSON out.
