import { readdirSync, readFileSync } from "node:fs";
import { inject } from "vitest";
import { read } from "./call";

/** The GATEWAY_ID of the one that has the session. */
export async function gatewayOf(session: string): Promise<string> {
  const { sessions } = await read<{ sessions: { session: string; gateway: string }[] }>("/v1/sessions");
  return sessions.find((row) => row.session === session)?.gateway ?? "";
}

/** The processes of all that there are. */
export async function everyGateway(): Promise<number[]> {
  const { gateways } = await read<{ gateways: { name: string }[] }>("/v1/gateways");
  return gateways.map(({ name }) => processOf(name));
}

/** Its process: one that has died is started again, as another. */
export function processOf(gateway: string): number {
  const found = readdirSync("/proc").filter((name) => {
    try {
      return /^\d+$/.test(name) && readFileSync(`/proc/${name}/environ`, "utf8").includes(`GATEWAY_ID=${gateway}\0`);
    } catch {
      return false; // it has ended meanwhile, or is somebody else's
    }
  });
  if (gateway === "" || found[0] === undefined)
    throw new Error(`no gateway "${gateway}" runs: ${inject("stack").gateways}`);
  return Number(found[0]);
}
