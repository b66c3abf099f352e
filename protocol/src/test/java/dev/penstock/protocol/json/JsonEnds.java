package dev.penstock.protocol.json;

import dev.penstock.protocol.control.ControlCodec;
import dev.penstock.protocol.control.ControlMessage;
import dev.penstock.protocol.control.MalformedMessage;
import dev.penstock.protocol.yamux.ProtocolViolation;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.random.RandomGenerator;

/// A gateway's and an agent's session joined in memory by two pipes that hold a few texts. Time is
/// a number that [#step] advances.
final class JsonEnds {
  private static final int PIPE = 8;

  private final RandomGenerator random;
  private final ControlCodec codec = new ControlCodec();
  private final JsonSession gateway;
  private final JsonSession agent;
  private final Deque<String> toAgent = new ArrayDeque<>();
  private final Deque<String> toGateway = new ArrayDeque<>();
  private long now;

  JsonEnds(RandomGenerator random, JsonSession gateway, JsonSession agent) {
    this.random = random;
    this.gateway = gateway;
    this.agent = agent;
  }

  long now() {
    return now;
  }

  /// Each end may send what the pipe has room for, and some of what is under way arrives.
  void step() throws ProtocolViolation, MalformedMessage {
    now += random.nextInt(1, 10_000);
    send(gateway, toAgent);
    send(agent, toGateway);
    deliver(toAgent, agent);
    deliver(toGateway, gateway);
  }

  boolean isQuiet() {
    return toAgent.isEmpty() && toGateway.isEmpty() && !gateway.hasOutput() && !agent.hasOutput();
  }

  private void send(JsonSession from, Deque<String> pipe) {
    for (int most = random.nextInt(PIPE); most > 0 && pipe.size() < PIPE; most--) {
      ControlMessage next = from.next();
      if (next == null) {
        return;
      }
      pipe.add(codec.encode(next));
    }
  }

  private void deliver(Deque<String> pipe, JsonSession to)
      throws ProtocolViolation, MalformedMessage {
    for (int most = random.nextInt(PIPE); most > 0 && !pipe.isEmpty(); most--) {
      switch (codec.decode(pipe.removeFirst())) {
        case ControlMessage.InTunnel(var content) -> to.onMessage(content, now);
        case ControlMessage.Ping ping -> to.onPing(ping);
        case ControlMessage.Pong pong -> to.onPong(pong, now);
        case ControlMessage other -> throw new AssertionError(other);
      }
    }
  }
}
