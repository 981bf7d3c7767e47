import { type Room, RoomEvent, Track } from "livekit-client";
import { expect, test, vi } from "vitest";
import { Published } from "@/call/transport/livekit/media";
import type { Microphone } from "@/sound/microphone";

/** A room that takes its time to publish, and what is published in it. */
function slowRoom() {
  const published: { live: boolean }[] = [];
  let publication: object | undefined;
  const publishTrack = vi.fn(async (track: { live: boolean }) => {
    await new Promise((resolve) => setTimeout(resolve, 5));
    published.push(track);
    publication = {
      audioTrack: {
        replaceTrack: async (other: { live: boolean }) => void published.splice(0, published.length, other),
      },
      mute: () => {},
      unmute: () => {},
    };
  });
  const localParticipant = { publishTrack, getTrackPublication: () => publication };
  const room = { state: "connected", on: () => {}, localParticipant } as unknown as Room;
  return { room, published, publishTrack };
}

function microphone(): Microphone {
  const clone = () => {
    const track = { enabled: true, live: true, stop: () => {} };
    track.stop = () => {
      track.live = false;
    };
    return track;
  };
  return { track: { clone } } as unknown as Microphone;
}

test("Who is let into the room as their microphone opens has one track there, and it is alive.", async () => {
  const { room, published, publishTrack } = slowRoom();
  const mine = new Published(room);
  await Promise.all([mine.listenTo(microphone()), mine.publish()]);
  expect(publishTrack).toHaveBeenCalledTimes(1);
  expect(published.map(({ live }) => live)).toEqual([true]);
});

test("Where the room does not take another microphone, the copy it has stays the only one open, until none is to be heard.", async () => {
  const copies: { readyState: string }[] = [];
  const device = () => {
    const clone = () => {
      const track = { enabled: true, readyState: "live", stop: () => {} };
      track.stop = () => {
        track.readyState = "ended";
      };
      copies.push(track);
      return track;
    };
    return { track: { clone } } as unknown as Microphone;
  };
  const audioTrack = {
    mediaStreamTrack: {},
    replaceTrack: async () => {
      throw new Error("the sender is gone");
    },
  };
  let publication: object | undefined;
  const publishTrack = async (track: object) => {
    audioTrack.mediaStreamTrack = track;
    publication = { audioTrack, mute: () => {}, unmute: () => {} };
  };
  const localParticipant = { publishTrack, getTrackPublication: () => publication };
  const mine = new Published({ state: "connected", on: () => {}, localParticipant } as unknown as Room);
  const states = () => copies.map(({ readyState }) => readyState);
  const first = device();
  await mine.listenTo(first);
  await expect(mine.listenTo(device())).rejects.toThrow("the sender is gone");
  expect(states()).toEqual(["live", "ended"]);
  await mine.listenTo(first); // nothing is to be done for it
  expect(states()).toEqual(["live", "ended"]);
  await mine.listenTo(null);
  expect(states()).toEqual(["ended", "ended"]);
});

test("A button that is pressed while the room takes its tracks anew counts.", () => {
  let publication: object | undefined;
  const heard = new Map<string, (publication: object) => void>();
  const room = {
    state: "connected",
    on: (event: string, handler: (publication: object) => void) => heard.set(event, handler),
    localParticipant: { getTrackPublication: () => publication },
  } as unknown as Room;
  const mine = new Published(room);
  mine.setMuted(true);
  mine.setMuted(false); // pressed, and there is nothing to unmute
  const unmute = vi.fn();
  publication = { source: Track.Source.Microphone, unmute };
  heard.get(RoomEvent.LocalTrackPublished)?.(publication);
  expect(unmute).toHaveBeenCalledOnce();
});

test("Somebody who has the camera does not have the microphone yet, and who has the microphone keeps it as a camera comes.", async () => {
  const heard = new Map<string, (publication: object) => void>();
  const audioTrack = { mediaStreamTrack: {}, replaceTrack: async () => {} };
  const publication = { trackSid: "TR_voice", audioTrack, mute: () => {}, unmute: () => {} };
  const localParticipant = { getTrackPublication: () => publication };
  const on = (event: string, handler: (publication: object) => void) => heard.set(event, handler);
  const mine = new Published({ state: "connected", on, localParticipant } as unknown as Room);
  const taken = (trackSid: string, source: Track.Source) =>
    heard.get(RoomEvent.LocalTrackSubscribed)?.({ trackSid, source });
  await mine.listenTo(microphone());
  taken("TR_picture", Track.Source.Camera);
  expect(mine.underway).toBe(true);
  taken("TR_voice", Track.Source.Microphone);
  taken("TR_picture", Track.Source.Camera);
  expect(mine.underway).toBe(false);
});
