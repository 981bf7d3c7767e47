// A browser for the page of docs/websocket.md: what of one it asks for, and a caller who presses the button. The page by stdin, the
// gateway's address as argument; what the page shows and plays goes to stdout as JSON, once the agent has answered.
import { text } from "node:stream/consumers";

const html = await text(process.stdin);
const script = /<script type="module">\n([\s\S]*?)<\/script>/.exec(html)[1];
const wanted = Number(process.argv[3]);
const elements = { button: {}, b: {}, ol: { children: [], appendChild: (line) => (elements.ol.children.push(line), line) } };
const told = { states: [], played: 0, stopped: 0, worklet: "", connections: 0 };

Object.defineProperty(elements.b, "textContent", { set: (state) => told.states.push(state) });
globalThis.document = { querySelector: (name) => elements[name], createElement: () => ({ textContent: "" }) };
globalThis.location = { search: `?gateway=${encodeURIComponent(process.argv[2])}` };
URL.createObjectURL = (blob) => blob;
Object.defineProperty(globalThis, "navigator", {
  value: { mediaDevices: { getUserMedia: async () => ({}) } },
});

globalThis.AudioContext = class {
  constructor({ sampleRate }) {
    this.sampleRate = sampleRate;
    this.destination = {};
    this.audioWorklet = {
      addModule: async (blob) => {
        const registered = {};
        const register = (name, node) => (registered[name] = node);
        new Function("registerProcessor", "AudioWorkletProcessor", await blob.text())(
          register,
          class {
            port = { postMessage: (samples) => microphone.port.onmessage({ data: samples }) };
          },
        );
        told.worklet = Object.keys(registered).join();
        processor = new registered.microphone();
      },
    };
  }
  get currentTime() {
    return performance.now() / 1000;
  }
  createMediaStreamSource() {
    return { connect: hear };
  }
  createBuffer(channels, length, rate) {
    return { duration: length / rate, length, copyToChannel: (samples) => (told.played += samples.length) };
  }
};
globalThis.AudioBufferSourceNode = class {
  connect() {}
  start(at) {
    this.timer = setTimeout(() => this.onended(), (at - performance.now() / 1000) * 1000);
  }
  stop() {
    clearTimeout(this.timer);
    told.stopped += 1;
    this.onended();
  }
};
let processor, microphone;
globalThis.AudioWorkletNode = class {
  port = {};
  constructor() {
    microphone = this;
  }
};

// 0.6 s of sound whenever the caller speaks, else silence, 128 samples at a time.
let speaks = 0;
function hear() {
  let sent = 0;
  const began = performance.now();
  setInterval(() => {
    for (; sent < ((performance.now() - began) / 1000) * 16000; sent += 128) {
      processor.process([[new Float32Array(128).fill(speaks > 0 ? 0.3 : 0)]]);
      speaks -= 128;
    }
  }, 10);
}

const Socket = globalThis.WebSocket;
globalThis.WebSocket = class extends Socket {
  constructor(url) {
    super(url);
    told.connections += 1;
    this.addEventListener("message", ({ data }) => typeof data === "string" && happened(this, JSON.parse(data)));
  }
};

let answers = 0;
function happened(socket, message) {
  if (socket.readyState !== Socket.OPEN) return; // on its way before the line was dropped
  if (message.type === "ready") speaks = 9600;
  if (message.type !== "turn") return;
  answers += 1;
  if (answers < wanted) {
    socket.close();
    socket.onclose({ code: 1006 }); // as if the line had dropped: a page can't say so itself
    return;
  }
  socket.send(JSON.stringify({ type: "hang_up" }));
  console.log(JSON.stringify({ ...told, lines: elements.ol.children.map((line) => line.textContent) }));
  setTimeout(() => process.exit(), 100);
}

await import(`data:text/javascript,${encodeURIComponent(script)}`);
elements.button.onclick();
