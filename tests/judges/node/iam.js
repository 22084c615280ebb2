// Evaluates IAM requests with @cloud-copilot/iam-simulate: an array of simulations on standard input, an array
// of "Allowed", "ImplicitlyDenied" or "ExplicitlyDenied" on standard output.
'use strict';
const { runSimulation } = require('@cloud-copilot/iam-simulate');

async function main() {
  let text = '';
  for await (const chunk of process.stdin) text += chunk;
  const answers = [];
  for (const simulation of JSON.parse(text)) {
    const result = await runSimulation(simulation, { simulationMode: 'Strict' });
    if (result.resultType === 'error') throw new Error(JSON.stringify(result.errors));
    answers.push(result.overallResult);
  }
  process.stdout.write(JSON.stringify(answers));
}

main();
