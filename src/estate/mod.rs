//! An environment, opened: who we are, clients by Region, SQL servers, clock. It is handed its wire and does not know which one it is.
