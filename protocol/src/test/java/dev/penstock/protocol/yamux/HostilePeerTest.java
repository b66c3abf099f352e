package dev.penstock.protocol.yamux;

import static dev.penstock.protocol.yamux.Bytes.ACK;
import static dev.penstock.protocol.yamux.Bytes.DATA;
import static dev.penstock.protocol.yamux.Bytes.FIN;
import static dev.penstock.protocol.yamux.Bytes.PING;
import static dev.penstock.protocol.yamux.Bytes.RST;
import static dev.penstock.protocol.yamux.Bytes.SYN;
import static dev.penstock.protocol.yamux.Bytes.UPDATE;
import static dev.penstock.protocol.yamux.Bytes.data;
import static dev.penstock.protocol.yamux.Bytes.frame;
import static dev.penstock.protocol.yamux.Bytes.join;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import java.nio.ByteBuffer;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class HostilePeerTest {
  private static final String PROTOCOL_ERROR = "000300000000000000000001";

  static Stream<Arguments> violations() {
    return Stream.of(
        arguments(
            "SYN of our parity",
            frame(UPDATE, SYN, 2, 0),
            "SYN for stream 2 (expected: odd ids of a CLIENT)"),
        arguments(
            "SYN for an id in use",
            join(frame(UPDATE, SYN, 1, 0), frame(UPDATE, SYN, 1, 0)),
            "SYN for stream 1 (expected: an id not in use)"),
        arguments(
            "window overrun in one frame",
            join(frame(UPDATE, SYN, 1, 0), frame(DATA, 0, 1, 262_145)),
            "stream 1: data frame of 262145 bytes (expected: at most the 262144 left of the"
                + " window)"),
        arguments(
            "window overrun in two frames",
            join(data(SYN, 1, 262_000), frame(DATA, 0, 1, 145)),
            "stream 1: data frame of 145 bytes (expected: at most the 144 left of the window)"),
        arguments(
            "a length beyond 31 bits",
            join(frame(UPDATE, SYN, 1, 0), frame(DATA, 0, 1, -1)),
            "stream 1: data frame of 4294967295 bytes (expected: at most the 262144 left of the"
                + " window)"),
        arguments(
            "second FIN",
            join(frame(UPDATE, SYN | FIN, 1, 0), frame(UPDATE, FIN, 1, 0)),
            "stream 1: second FIN (expected: one)"),
        arguments(
            "data after FIN",
            join(frame(UPDATE, SYN | FIN, 1, 0), data(0, 1, 5)),
            "stream 1: 5 bytes after FIN (expected: none)"),
        arguments(
            "send window overflow",
            join(frame(UPDATE, SYN, 1, -1 - 262_144), frame(UPDATE, 0, 1, 1)),
            "stream 1: send window: 4294967296 (expected: at most 4294967295)"),
        arguments("version", Bytes.hex("01" + "00".repeat(11)), "version: 1 (expected: 0)"));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("violations")
  void violationsAreNamedAndAnsweredWithGoAway(String name, ByteBuffer bytes, String text) {
    Peer end = new Peer(Role.SERVER);
    end.session.ping(0);
    assertThatThrownBy(() -> end.send(bytes))
        .isInstanceOf(ProtocolViolation.class)
        .hasMessage(text);
    assertThat(end.session.hasOutput()).isTrue();
    assertThat(end.output()).isEqualTo(PROTOCOL_ERROR);
    assertThat(end.session.hasOutput()).isFalse();
    end.session.end();
    assertThat(end.budget.used()).isZero();
  }

  @Test
  void afterAViolationNothingIsReadOrOpened() throws ProtocolViolation {
    Peer end = new Peer(Role.SERVER);
    assertThatThrownBy(() -> end.send(frame(UPDATE, SYN, 2, 0)))
        .isInstanceOf(ProtocolViolation.class);
    end.send(frame(UPDATE, SYN, 1, 0));
    assertThat(end.opened).isEmpty();
    assertThat(end.session.open(new Recorder()))
        .isEqualTo(new OpenResult.Refused(OpenResult.Reason.GOING_AWAY));
  }

  @Test
  void framesForUnknownStreamsAreDrainedAndCounted() throws ProtocolViolation {
    Peer end = new Peer(Role.SERVER);
    end.send(
        data(0, 9, 100_000),
        data(0, 8, 5),
        frame(UPDATE, RST, 9, 0),
        frame(UPDATE, FIN, 9, 0),
        frame(UPDATE, ACK, 10, 7));
    assertThat(end.session.counters().strayFrames).isEqualTo(5);
    assertThat(end.output()).isEmpty();
    end.send(frame(UPDATE, SYN, 9, 0));
    assertThat(end.opened).hasSize(1);
  }

  @Test
  void moreSynsThanTheBacklogAreReset() throws ProtocolViolation {
    Peer end = new Peer(Role.SERVER);
    for (int i = 0; i < 258; i++) {
      end.send(data(SYN, 1 + 2 * i, 10));
    }
    assertThat(end.opened).hasSize(256);
    assertThat(end.session.counters().refusedOpens).isEqualTo(2);
    assertThat(end.output()).isEqualTo("000100080000020100000000" + "000100080000020300000000");

    end.opened.get(0).accept();
    end.opened.get(1).reset();
    end.send(frame(UPDATE, SYN, 1001, 0), frame(UPDATE, SYN, 1003, 0), frame(UPDATE, SYN, 1005, 0));
    assertThat(end.opened).hasSize(258);
    assertThat(end.session.streamCount()).isEqualTo(257);
  }

  @Test
  void streamsBeyondTheLimitAreReset() throws ProtocolViolation {
    Peer end = new Peer(Role.SERVER, new SessionSettings(1 << 18, 1024, 256, 2, 9, 99), 1 << 30);
    end.open(new Recorder());
    end.send(frame(UPDATE, SYN, 1, 0), frame(UPDATE, SYN, 3, 0));
    assertThat(end.session.streamCount()).isEqualTo(2);
    assertThat(end.session.counters().refusedOpens).isEqualTo(1);
    assertThat(end.session.open(new Recorder()))
        .isEqualTo(new OpenResult.Refused(OpenResult.Reason.TOO_MANY_STREAMS));
  }

  @Test
  void aFloodOfSynsLeavesNothingBehindWhenTheAnswersAreRead() throws ProtocolViolation {
    Peer end = new Peer(Role.SERVER);
    for (int i = 0; i < 100_000; i++) {
      end.send(frame(UPDATE, SYN, 1 + 2 * i, 0));
      if (i % 1000 == 0) {
        end.output();
      }
    }
    assertThat(end.session.streamCount()).isEqualTo(256);
    assertThat(end.session.counters().refusedOpens).isEqualTo(100_000 - 256);
  }

  @Test
  void aFloodOfSynsWithoutReadingIsAViolation() {
    Peer end = new Peer(Role.SERVER);
    assertThatThrownBy(
            () -> {
              for (int i = 0; i < 100_000; i++) {
                end.send(frame(UPDATE, SYN, 1 + 2 * i, 0));
              }
            })
        .isInstanceOf(ProtocolViolation.class)
        .hasMessage("control frames waiting: 65536 (expected: fewer than 65536)");
    assertThat(end.session.streamCount()).isEqualTo(256);
    assertThat(end.output()).isEqualTo(PROTOCOL_ERROR);
  }

  @Test
  void aFloodOfPingsWithoutReadingIsAViolation() throws ProtocolViolation {
    Peer end = new Peer(Role.SERVER);
    for (int i = 0; i < 65_536; i++) {
      end.send(frame(PING, SYN, 0, i));
    }
    assertThatThrownBy(() -> end.send(frame(PING, SYN, 0, 1)))
        .hasMessage("control frames waiting: 65536 (expected: fewer than 65536)");
  }

  @Test
  void aFloodOfOpenedAndResetStreamsWithoutReadingIsAViolation() {
    Peer end = new Peer(Role.SERVER);
    assertThatThrownBy(
            () -> {
              for (int i = 0; i < 100_000; i++) {
                end.send(frame(UPDATE, SYN, 1, 0));
                end.opened.removeLast().accept();
                end.send(frame(UPDATE, RST, 1, 0));
              }
            })
        .hasMessage("control frames waiting: 65536 (expected: fewer than 65536)");
  }

  @Test
  void synWithRstOpensAndClosesAtOnce() throws ProtocolViolation {
    Peer end = new Peer(Role.SERVER);
    end.send(data(SYN | RST, 1, 4));
    assertThat(end.recorders.getFirst().events)
        .containsExactly("received 4", "closed RESET_BY_PEER");
    assertThat(end.session.streamCount()).isZero();
    assertThat(end.budget.used()).isZero();
  }

  @Test
  void unsolicitedAcksAndPingAnswersAreIgnored() throws ProtocolViolation {
    Peer end = new Peer(Role.SERVER);
    end.session.ping(0);
    end.send(frame(PING, ACK, 0, 99), frame(UPDATE, SYN | ACK, 1, 0), frame(UPDATE, ACK, 1, 0));
    assertThat(end.session.rttNanos()).isZero();
    assertThat(end.session.pingSentNanos()).isZero();
    assertThat(end.session.streamCount()).isEqualTo(1);
  }
}
