// Runs one statement through tedious: connection and statement as JSON on standard input, rows as JSON out.
const { Connection, Request, TYPES } = require("tedious");
const { readFileSync } = require("fs");

const at = JSON.parse(readFileSync(0, "utf8"));
const connection = new Connection({
  server: at.host,
  authentication: { type: "default", options: { userName: at.user, password: at.password } },
  options: {
    port: at.port,
    database: at.database,
    encrypt: at.tls,
    trustServerCertificate: false,
    cryptoCredentialsDetails: at.ca ? { ca: readFileSync(at.ca) } : {},
  },
});

function fail(error) {
  const causes = error.errors ?? [error, error.cause].filter(Boolean);
  process.stderr.write(causes.map((cause) => cause.message).join("; ") + "\n");
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
  at.parameters.forEach((value, index) => request.addParameter(`p${index + 1}`, TYPES.NVarChar, value));
  if (at.parameters.length > 0) connection.execSql(request);
  else connection.execSqlBatch(request);
});
