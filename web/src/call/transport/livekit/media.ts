import { LocalVideoTrack, type Room, RoomEvent, Track, VideoPresets } from "livekit-client";
import type { Resolution } from "@/call/transport/transport";
import { cameraProblem, type Microphone } from "@/sound/microphone";

const PRESETS = { "360p": VideoPresets.h360, "720p": VideoPresets.h720, "1080p": VideoPresets.h1080 };

/** What we show and say in a room: microphone, camera, screen. */
export class Published {
  private microphone: Microphone | null = null;
  /** The copy that the room has, and whose it is. */
  private sent: { track: MediaStreamTrack; of: Microphone } | null = null;
  private muted = false;
  /** The microphone's track that somebody in the room had last. */
  private taken = "";
  private publishing: Promise<void> = Promise.resolve();

  constructor(private readonly room: Room) {
    room.on(RoomEvent.LocalTrackSubscribed, ({ trackSid, source }) => {
      if (source === Track.Source.Microphone) this.taken = trackSid;
    });
    // A room that comes back takes its tracks anew: what was pressed meanwhile met none.
    room.on(RoomEvent.LocalTrackPublished, ({ source }) => {
      if (source === Track.Source.Microphone) this.setMuted(this.muted);
    });
  }

  /** Words would be lost: the microphone is open, and nobody in the room has it yet. */
  get underway(): boolean {
    const published = this.room.localParticipant.getTrackPublication(Track.Source.Microphone);
    return this.sent !== null && !this.muted && this.taken !== published?.trackSid;
  }

  /** Where the room does not take it, whatever it had before goes on being sent. */
  async listenTo(microphone: Microphone | null): Promise<void> {
    this.microphone = microphone;
    if (microphone === null || this.room.state === "connected") await this.publish();
  }

  /** One after the other: who is let into the room as their microphone opens would have two tracks there, the first of them dead. */
  async publish(): Promise<void> {
    const before = this.publishing.catch(() => {});
    this.publishing = before.then(() => this.give());
    await this.publishing;
  }

  /** The room is given a copy: whatever becomes of that in a connection that breaks, the microphone itself stays open. */
  private async give(): Promise<void> {
    const { microphone, sent: before } = this;
    if (microphone === null) return this.close();
    const { localParticipant } = this.room;
    const published = localParticipant.getTrackPublication(Track.Source.Microphone)?.audioTrack;
    if (before?.of === microphone && published?.mediaStreamTrack === before.track) return; // it has it
    const track = microphone.track.clone();
    track.enabled = true;
    this.sent = { track, of: microphone };
    try {
      if (published !== undefined) await published.replaceTrack(track, true);
      else await localParticipant.publishTrack(track, { source: Track.Source.Microphone });
    } catch (error) {
      track.stop();
      if (this.sent?.track === track) this.sent = before;
      else before?.track.stop(); // the call ended meanwhile
      throw error;
    }
    before?.track.stop();
    this.setMuted(this.muted);
  }

  setMuted(muted: boolean): void {
    this.muted = muted;
    const published = this.room.localParticipant.getTrackPublication(Track.Source.Microphone);
    void (muted ? published?.mute() : published?.unmute());
  }

  /** Rejects with a sentence for a person. */
  async setCamera(resolution: Resolution | null, device: string): Promise<void> {
    const { localParticipant } = this.room;
    try {
      if (resolution === null) {
        await localParticipant.setCameraEnabled(false);
        return;
      }
      const wanted = { resolution: PRESETS[resolution].resolution, ...(device && { deviceId: device }) };
      const track = localParticipant.getTrackPublication(Track.Source.Camera)?.track;
      if (track instanceof LocalVideoTrack && !track.isMuted) await track.restartTrack(wanted);
      else await localParticipant.setCameraEnabled(true, wanted);
    } catch (error) {
      throw new Error(cameraProblem(error));
    }
  }

  async setScreen(on: boolean): Promise<void> {
    await this.room.localParticipant.setScreenShareEnabled(on).catch((error: Error) => {
      if (error.name !== "NotAllowedError") throw error; // they thought better of it
    });
  }

  close(): void {
    this.sent?.track.stop();
    this.sent = null;
  }
}
