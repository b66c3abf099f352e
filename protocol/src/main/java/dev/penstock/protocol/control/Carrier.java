package dev.penstock.protocol.control;

import dev.penstock.protocol.control.ControlMessage.GatewayHello;
import dev.penstock.protocol.control.ControlMessage.GatewayHelloAck;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/// What carries the streams of a link.
public enum Carrier {
  /// Binary messages with a yamux session.
  YAMUX,
  /// Text messages, see [TunnelMessage]; needs [Capability#CREDITS] at both ends.
  JSON;

  /// What the two ends agreed on: yamux when both use it, else JSON when both can; null when they
  /// have nothing in common.
  public static @Nullable Carrier agreed(GatewayHello hello, GatewayHelloAck ack) {
    if (hello.useYamux() && ack.useYamux()) {
      return YAMUX;
    }
    return hello.capabilities().contains(Capability.CREDITS)
            && ack.capabilities().contains(Capability.CREDITS)
        ? JSON
        : null;
  }

  /// Its name in settings, logs and as a value of a metric's label.
  public String label() {
    return name().toLowerCase(Locale.ROOT);
  }
}
