import { Component, type ReactNode } from "react";
import { Failed } from "@/ui/state";

interface Props {
  /** Another address is another view: it is tried. */
  place: string;
  children: ReactNode;
}

/** A view that fails takes nothing else with it: the menu stays, and a call that goes on. Most often its code could not be loaded:
 * the server was updated under a page that was open. */
export class Broken extends Component<Props, { failed: boolean }> {
  override state = { failed: false };

  static getDerivedStateFromError() {
    return { failed: true };
  }

  override componentDidUpdate(before: Props) {
    if (this.state.failed && before.place !== this.props.place) this.setState({ failed: false });
  }

  override render() {
    if (!this.state.failed) return this.props.children;
    return (
      <Failed title="This page can’t be shown" retry={() => window.location.reload()}>
        The app was updated while it was open, or its server does not answer. Trying again loads it anew; a call that
        you are in would end.
      </Failed>
    );
  }
}
