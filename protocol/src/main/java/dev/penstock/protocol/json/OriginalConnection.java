package dev.penstock.protocol.json;

import dev.penstock.protocol.control.DialStatus;
import dev.penstock.protocol.control.StreamHeader;
import dev.penstock.protocol.control.TunnelMessage;
import dev.penstock.protocol.control.TunnelMessage.Close;
import dev.penstock.protocol.control.TunnelMessage.Data;
import dev.penstock.protocol.yamux.CloseCause;
import dev.penstock.protocol.yamux.StreamListener;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/// A TCP connection through an original agent.
///
/// ```
/// OPENED -- start sent --> DIALLING -- first bytes, or hold over --> CONNECTED
///    any state -- the agent's close, or ours --> GONE: the agent knows nothing of it
/// ```
final class OriginalConnection extends OriginalStream {
  private enum Phase {
    OPENED,
    DIALLING,
    CONNECTED,
    GONE
  }

  private final StreamHeader header;
  private final int listenerPort;
  private Phase phase = Phase.OPENED;
  private long startedAt;

  /// Not before this time the next data may follow. An answer of the service does not end the wait:
  /// it may be the answer to what came before the last message.
  private long quietUntil;

  /// When something last went either way.
  private long lastUse;

  OriginalConnection(
      OriginalSession session,
      String name,
      StreamHeader header,
      int listenerPort,
      StreamListener listener) {
    super(session, name, listener);
    this.header = header;
    this.listenerPort = listenerPort;
  }

  @Override
  public void finish() {
    if (!finishing && !closed) {
      finishing = true;
      session.activate(this);
      finishIfGone();
    }
  }

  @Override
  public void reset() {
    if (!closed) {
      sayClosed("reset");
      close(CloseCause.RESET_LOCALLY);
    }
  }

  @Override
  boolean take(TunnelMessage message, long now) {
    return switch (message) {
      case Data data when phase != Phase.OPENED && phase != Phase.GONE && !peerFinished -> {
        connected(now);
        lastUse = now;
        received(data.data(), now);
        yield true;
      }
      case Close(_, var reason, var error) when phase != Phase.OPENED && phase != Phase.GONE -> {
        closedByAgent(reason, error, now);
        yield true;
      }
      case TunnelMessage.Unreadable _ when phase != Phase.GONE -> {
        sayClosed(TunnelFault.UNREADABLE.reason());
        session.faulty(TunnelFault.UNREADABLE);
        close(CloseCause.PEER_FAULT);
        yield true;
      }
      default -> false;
    };
  }

  private void closedByAgent(String reason, String error, long now) {
    boolean failed = reason.equals("connection_failed") || reason.equals("registration_failed");
    if (phase == Phase.DIALLING && failed) {
      phase = Phase.GONE;
      String text = error.isEmpty() ? reason : reason + ": " + error;
      received(
          new DialStatus(
                  reason.equals("registration_failed")
                      ? DialStatus.Code.OVER_LIMIT
                      : DialStatus.Code.FAILED,
                  text)
              .encode(),
          now);
      gone();
    } else if (reason.equals("service_closed")) {
      connected(now);
      gone();
    } else {
      phase = Phase.GONE;
      close(CloseCause.RESET_BY_PEER);
    }
  }

  /// The agent has forgotten the connection: what it sent can still be read, and what we would send
  /// has no reader.
  private void gone() {
    phase = Phase.GONE;
    if (!closed) {
      tellPeerFinished();
      if (unsent != null) {
        close(CloseCause.RESET_BY_PEER);
      } else {
        finishIfGone();
      }
    }
  }

  private void connected(long now) {
    if (phase == Phase.DIALLING) {
      phase = Phase.CONNECTED;
      received(DialStatus.connected().encode(), now);
    }
  }

  @Override
  @Nullable TunnelMessage next(long now) {
    if (outOfPatience(now)) {
      return null;
    }
    return switch (phase) {
      case OPENED -> {
        phase = Phase.DIALLING;
        startedAt = now;
        lastUse = now;
        yield new TunnelMessage.Start(name(), header, listenerPort, TunnelMessage.Start.NO_CREDITS);
      }
      case DIALLING -> {
        if (now - startedAt < session.pacing().hold().toNanos()) {
          yield null;
        }
        connected(now);
        yield closed ? null : data(now);
      }
      case CONNECTED -> data(now);
      case GONE -> {
        // The client still speaks to a connection that is gone.
        if (unsent != null) {
          close(CloseCause.RESET_BY_PEER);
        }
        yield null;
      }
    };
  }

  private @Nullable TunnelMessage data(long now) {
    ByteBuffer bytes = unsent;
    if (bytes == null) {
      if (finishing && lingerEnds() - now <= 0) {
        sayClosed("client_closed");
        gone();
      }
      return null;
    }
    if (quietUntil - now > 0) {
      return null;
    }
    int length = Math.min(bytes.remaining(), session.steadyFrame());
    ByteBuffer piece = bytes.slice(bytes.position(), length);
    bytes.position(bytes.position() + length);
    if (length > 0) {
      quietUntil = now + session.pacing().pause().toNanos();
      lastUse = now;
    }
    if (!bytes.hasRemaining()) {
      unsent = null;
      if (!finishing) {
        tellWritable();
      }
    }
    return length == 0 ? null : Data.plain(name(), piece);
  }

  private long lingerEnds() {
    return lastUse + session.pacing().linger().toNanos();
  }

  @Override
  boolean isActive() {
    return !closed
        && (phase == Phase.OPENED
            || phase == Phase.DIALLING
            || unsent != null
            || patienceEnds() != null
            || (finishing && phase == Phase.CONNECTED));
  }

  @Override
  @Nullable Long due(long now) {
    Long patience = patienceEnds();
    Long own =
        switch (phase) {
          case OPENED -> Long.valueOf(now);
          case DIALLING -> startedAt + session.pacing().hold().toNanos();
          case CONNECTED -> unsent != null ? Long.valueOf(quietUntil) : lingerDue();
          case GONE -> unsent != null ? Long.valueOf(now) : null;
        };
    if (patience == null) {
      return own;
    }
    return own == null || patience - own < 0 ? patience : own;
  }

  private @Nullable Long lingerDue() {
    return finishing ? Long.valueOf(lingerEnds()) : null;
  }

  @Override
  void consumedAll() {
    finishIfGone();
  }

  private void finishIfGone() {
    if (phase == Phase.GONE && finishing && peerFinished && unread() == 0) {
      close(CloseCause.FINISHED);
    }
  }

  @Override
  void overBudget() {
    sayClosed("over_budget");
    session.counters().overBudgetResets++;
    close(CloseCause.OVER_BUDGET);
  }

  /// Tells the agent, unless it knows or never heard of the connection; not while it dials, when
  /// the end could overtake the start.
  private void sayClosed(String reason) {
    var message = new Close(name(), reason, "");
    switch (phase) {
      case DIALLING -> session.sendLate(message, startedAt + session.pacing().hold().toNanos());
      case CONNECTED -> session.send(message);
      case OPENED, GONE -> {
        // The agent knows of no connection.
      }
    }
    phase = Phase.GONE;
  }
}
