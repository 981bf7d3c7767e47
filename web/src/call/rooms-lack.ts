/** What a browser lacks for a LiveKit room, in a sentence; "" where it lacks nothing. */
export function roomsLack(browser: object): string {
  return "RTCPeerConnection" in browser ? "" : "This browser has no WebRTC, which LiveKit needs. Choose WebSocket.";
}
