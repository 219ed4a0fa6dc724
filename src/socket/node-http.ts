/**
 * Node's HTTP, taken without an import: the namespace that an import makes reads every member of `node:http`, and one of them
 * loads undici. That is 35 ms and 3 MiB at a start, for a WebSocket that nobody here opens.
 */
export const { Agent, createServer, request } = process.getBuiltinModule('node:http');
