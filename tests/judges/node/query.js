// Runs one statement through tedious: connection and statement as JSON on standard input, rows as JSON out.
const { Connection, Request } = require("tedious");

const at = JSON.parse(require("fs").readFileSync(0, "utf8"));
const connection = new Connection({
  server: at.host,
  authentication: { type: "default", options: { userName: at.user, password: at.password } },
  options: { port: at.port, database: at.database, encrypt: at.tls, trustServerCertificate: true },
});

function fail(error) {
  process.stderr.write(String(error.errors ? error.errors.map((e) => e.message).join("; ") : error.message) + "\n");
  process.exitCode = 1;
  connection.close();
}

connection.connect((error) => {
  if (error) return fail(error);
  const rows = [];
  const request = new Request(at.statement, (error) => {
    if (error) return fail(error);
    process.stdout.write(JSON.stringify(rows));
    connection.close();
  });
  request.on("row", (columns) => rows.push(columns.map((column) => column.value)));
  connection.execSqlBatch(request);
});
