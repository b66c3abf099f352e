package dev.penstock.protocol.yamux;

import static dev.penstock.protocol.yamux.Bytes.FIN;
import static dev.penstock.protocol.yamux.Bytes.SYN;
import static dev.penstock.protocol.yamux.Bytes.UPDATE;
import static dev.penstock.protocol.yamux.Bytes.data;
import static dev.penstock.protocol.yamux.Bytes.frame;
import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class WindowTest {
  private static final int KIB = 1024;
  private static final long RTT = 1_000_000;

  private Peer end = new Peer(Role.SERVER);

  @BeforeEach
  void open() throws ProtocolViolation {
    accept(new Peer(Role.SERVER));
  }

  private void accept(Peer peer) throws ProtocolViolation {
    end = peer;
    end.send(frame(UPDATE, SYN, 1, 0));
    stream().accept();
    end.output();
  }

  private YamuxStream stream() {
    return end.opened.getFirst();
  }

  /// The peer sends `bytes`, and after `nanos` they are consumed.
  private String drain(int bytes, long nanos) throws ProtocolViolation {
    end.send(data(0, 1, bytes));
    end.now += nanos;
    stream().consumed(bytes, end.now);
    return end.output();
  }

  @Test
  void withoutARoundTripTimeTheWindowStays() throws ProtocolViolation {
    assertThat(drain(128 * KIB, 0)).isEqualTo("000100000000000100020000");
    assertThat(stream().receiveWindow()).isEqualTo(256 * KIB);
  }

  @Test
  void aFastDrainDoublesTheWindowUpToTheMaximum() throws ProtocolViolation {
    end.measureRtt(RTT);
    // 128 KiB consumed and 256 KiB of growth.
    assertThat(drain(128 * KIB, 4 * RTT - 1)).isEqualTo("000100000000000100060000");
    assertThat(stream().receiveWindow()).isEqualTo(512 * KIB);
    assertThat(end.budget.used()).isEqualTo(256 * KIB);
    for (int window = 512 * KIB; window < 16 * KIB * KIB; window *= 2) {
      drain(window / 2, RTT);
      assertThat(stream().receiveWindow()).isEqualTo(2 * window);
    }
    drain(8 * KIB * KIB, RTT);
    assertThat(stream().receiveWindow()).isEqualTo(16 * KIB * KIB);
    assertThat(end.session.counters().windowGrowths).isEqualTo(6);
    assertThat(end.budget.used()).isEqualTo((16 * KIB - 256) * KIB);
    stream().reset();
    assertThat(end.budget.used()).isZero();
  }

  @Test
  void aSlowDrainKeepsTheWindow() throws ProtocolViolation {
    end.measureRtt(RTT);
    assertThat(drain(128 * KIB, 4 * RTT)).isEqualTo("000100000000000100020000");
    assertThat(stream().receiveWindow()).isEqualTo(256 * KIB);
  }

  @Test
  void aDrainWithinAMillisecondIsFastHoweverShortTheRoundTrip() throws ProtocolViolation {
    end.measureRtt(60_000);
    drain(128 * KIB, 999_999);
    assertThat(stream().receiveWindow()).isEqualTo(512 * KIB);
    drain(256 * KIB, 1_000_000);
    assertThat(stream().receiveWindow()).isEqualTo(512 * KIB);
  }

  @Test
  void growthBeyondTheBudgetIsDeniedAndNothingElseHappens() throws ProtocolViolation {
    accept(new Peer(Role.SERVER, SessionSettings.defaults(), 256 * KIB + 100));
    end.measureRtt(RTT);
    end.send(data(0, 1, 101));
    assertThat(drain(128 * KIB, 1)).isEqualTo("000100000000000100020000");
    assertThat(stream().receiveWindow()).isEqualTo(256 * KIB);
    assertThat(end.session.counters().windowGrowthsDenied).isEqualTo(1);
    assertThat(end.session.streamCount()).isEqualTo(1);
  }

  @Test
  void unreadBytesAreChargedUntilConsumed() throws ProtocolViolation {
    end.send(data(0, 1, 200 * KIB));
    assertThat(stream().unread()).isEqualTo(200 * KIB);
    assertThat(end.budget.used()).isEqualTo(200 * KIB);
    stream().consumed(50 * KIB, 0);
    assertThat(end.budget.used()).isEqualTo(150 * KIB);
    stream().consumed(150 * KIB, 0);
    assertThat(end.budget.used()).isZero();
  }

  @Test
  void theStreamWhoseBytesDoNotFitIsResetAlone() throws ProtocolViolation {
    accept(new Peer(Role.SERVER, SessionSettings.defaults(), 100 * KIB));
    end.send(frame(UPDATE, SYN, 3, 0), data(0, 1, 60 * KIB), data(FIN, 3, 60 * KIB));
    assertThat(end.recorders.get(1).events).containsExactly("closed OVER_BUDGET");
    assertThat(end.output()).isEqualTo("000100080000000300000000");
    assertThat(end.session.counters().overBudgetResets).isEqualTo(1);
    assertThat(end.budget.used()).isEqualTo(60 * KIB);
    end.send(data(0, 3, 10), data(0, 1, 40 * KIB));
    assertThat(end.recorders.get(0).events)
        .containsExactly("received " + 60 * KIB, "received " + 40 * KIB);
  }

  @Test
  void anotherSessionsUseCountsAgainstTheSharedBudget() {
    ByteBudget process = new ByteBudget(150);
    assertThat(process.child(100).tryReserve(100)).isTrue();
    ByteBudget second = process.child(100);
    assertThat(second.tryReserve(51)).isFalse();
    assertThat(second.used()).isZero();
    assertThat(second.tryReserve(50)).isTrue();
    assertThat(process.used()).isEqualTo(150);
  }

  @Test
  void afterThePeersFinNoCreditIsGiven() throws ProtocolViolation {
    end.send(data(FIN, 1, 200 * KIB));
    stream().consumed(200 * KIB, 0);
    assertThat(end.output()).isEmpty();
  }
}
