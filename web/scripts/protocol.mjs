// npm run types: the messages of the WebSocket room as TypeScript, from schemas/client.schema.json. --check: whether they are.
import { readFileSync, writeFileSync } from "node:fs";
import openapiTS, { astToString } from "openapi-typescript";

const SCHEMA = new URL("../../schemas/client.schema.json", import.meta.url);
const TYPES = new URL("../src/call/transport/websocket/protocol.d.ts", import.meta.url);

const schemas = JSON.parse(readFileSync(SCHEMA, "utf8").replaceAll("#/$defs/", "#/components/schemas/")).$defs;
const document = { openapi: "3.1.0", info: { title: "protocol", version: "1" }, paths: {}, components: { schemas } };
const types = astToString(await openapiTS(document));
const made = `// Made by scripts/protocol.mjs of schemas/client.schema.json (docs/websocket.md).\n${types}`;
if (!process.argv.includes("--check")) writeFileSync(TYPES, made);
else if (readFileSync(TYPES, "utf8") !== made)
  throw new Error(`${TYPES.pathname} is not what it is made of: make schema`);
