package dev.penstock.protocol.yamux;

import static dev.penstock.protocol.yamux.Bytes.ACK;
import static dev.penstock.protocol.yamux.Bytes.DATA;
import static dev.penstock.protocol.yamux.Bytes.FIN;
import static dev.penstock.protocol.yamux.Bytes.GO_AWAY;
import static dev.penstock.protocol.yamux.Bytes.PING;
import static dev.penstock.protocol.yamux.Bytes.RST;
import static dev.penstock.protocol.yamux.Bytes.SYN;
import static dev.penstock.protocol.yamux.Bytes.UPDATE;
import static dev.penstock.protocol.yamux.Bytes.data;
import static dev.penstock.protocol.yamux.Bytes.frame;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.penstock.protocol.Seeds;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class YamuxSessionTest {
  private static final OpenResult.Refused GOING_AWAY =
      new OpenResult.Refused(OpenResult.Reason.GOING_AWAY);

  @Test
  void eachDirectionFinishesAlone() throws ProtocolViolation {
    Peer end = new Peer(Role.SERVER);
    Recorder recorder = new Recorder();
    YamuxStream stream = end.open(recorder);
    stream.finish();
    end.send(data(ACK, 2, 5));
    stream.consumed(5, 0);
    end.send(data(0, 2, 6), frame(UPDATE, FIN, 2, 0));
    assertThat(recorder.events).containsExactly("received 5", "received 6", "peer finished");
    stream.consumed(6, 0);
    assertThat(recorder.events).endsWith("peer finished", "closed FINISHED");
    assertThat(end.session.streamCount()).isZero();
  }

  @Test
  void afterThePeersFinWeMayGoOn() throws ProtocolViolation {
    Peer end = new Peer(Role.SERVER);
    end.send(frame(UPDATE, SYN | FIN, 1, 0));
    YamuxStream stream = end.opened.getFirst();
    stream.write(ByteBuffer.allocate(1));
    assertThat(end.output()).isEqualTo("000100020000000100000000" + "00000000000000010000000100");
    stream.finish();
    assertThat(end.output()).isEqualTo("000100040000000100000000");
    assertThat(end.recorders.getFirst().events)
        .containsExactly("peer finished", "writable", "closed FINISHED");
  }

  @Test
  void aFinishedStreamStaysUntilItsBytesAreConsumed() throws ProtocolViolation {
    Peer end = new Peer(Role.SERVER);
    end.send(data(SYN | FIN, 1, 100));
    YamuxStream stream = end.opened.getFirst();
    stream.finish();
    end.output();
    end.send(frame(UPDATE, 0, 1, 5), frame(UPDATE, RST, 1, 0));
    assertThat(end.budget.used()).isEqualTo(100);
    assertThat(end.session.streamCount()).isEqualTo(1);
    stream.consumed(100, 0);
    assertThat(end.recorders.getFirst().events).endsWith("closed FINISHED");
    assertThat(end.budget.used()).isZero();
    assertThat(end.output()).isEmpty();
  }

  @Test
  void resettingAFinishedStreamGivesUpItsBytesWithoutAFrame() throws ProtocolViolation {
    Peer end = new Peer(Role.SERVER);
    end.send(data(SYN | FIN, 1, 100));
    YamuxStream stream = end.opened.getFirst();
    stream.finish();
    end.output();
    stream.reset();
    assertThat(end.output()).isEmpty();
    assertThat(end.recorders.getFirst().events).endsWith("closed RESET_LOCALLY");
    assertThat(end.budget.used()).isZero();
  }

  @Test
  void resetDropsUnsentBytesAndTellsThePeer() throws ProtocolViolation {
    Peer end = new Peer(Role.SERVER);
    Recorder recorder = new Recorder();
    YamuxStream stream = end.open(recorder);
    stream.write(ByteBuffer.allocate(1_000_000));
    end.output();
    assertThat(recorder.events).isEmpty();
    stream.reset();
    assertThat(end.output()).isEqualTo("000100080000000200000000");
    assertThat(recorder.events).containsExactly("closed RESET_LOCALLY");
    end.send(data(0, 2, 300_000), frame(UPDATE, FIN, 2, 0));
    assertThat(end.session.counters().strayFrames).isEqualTo(2);
    stream.write(ByteBuffer.allocate(1));
    stream.finish();
    stream.consumed(9, 0);
    assertThat(end.session.hasOutput()).isFalse();
  }

  @Test
  void aStreamResetWhileItsFrameArrivesIsNotToldTheRest() throws ProtocolViolation {
    Peer end = new Peer(Role.SERVER);
    YamuxStream[] stream = new YamuxStream[1];
    Recorder recorder =
        new Recorder() {
          @Override
          public void received(ByteBuffer bytes) {
            super.received(bytes);
            stream[0].reset();
          }
        };
    stream[0] = end.open(recorder);
    end.send(frame(DATA, FIN, 2, 10), ByteBuffer.allocate(4), ByteBuffer.allocate(6));
    assertThat(recorder.events).containsExactly("received 4", "closed RESET_LOCALLY");
  }

  @Test
  void misuseIsRefusedByName() throws ProtocolViolation {
    Peer end = new Peer(Role.SERVER);
    YamuxStream stream = end.open(new Recorder());
    stream.write(ByteBuffer.allocate(1));
    assertThatThrownBy(() -> stream.write(ByteBuffer.allocate(1)))
        .hasMessage("stream 2: write before writable()");
    stream.finish();
    assertThatThrownBy(() -> stream.write(ByteBuffer.allocate(1)))
        .hasMessage("stream 2: write after finish");
    assertThatThrownBy(() -> stream.listen(new Recorder())).hasMessageContaining("set twice");
    end.send(data(0, 2, 3));
    assertThatThrownBy(() -> stream.consumed(4, 0))
        .hasMessage("stream 2: consumed: 4 (expected: 0 to 3)");
  }

  @Test
  void writableComesOnceTheWholeWriteIsInABatch() throws ProtocolViolation {
    Peer end = new Peer(Role.SERVER);
    Recorder recorder = new Recorder();
    YamuxStream stream = end.open(recorder);
    stream.write(ByteBuffer.allocate(262_145));
    end.output();
    assertThat(recorder.events).isEmpty();
    assertThat(end.session.hasOutput()).isFalse();
    end.send(frame(UPDATE, ACK, 2, 100));
    assertThat(end.output()).isEqualTo("00000000000000020000000100");
    assertThat(recorder.events).containsExactly("writable");
    stream.write(ByteBuffer.allocate(0));
    assertThat(end.output()).isEmpty();
    assertThat(recorder.events).containsExactly("writable", "writable");
  }

  @Test
  void writingFromWritableEndsWithTheBatch() {
    Peer end = new Peer(Role.SERVER);
    YamuxStream[] stream = new YamuxStream[1];
    stream[0] =
        end.open(
            new Recorder() {
              @Override
              public void writable() {
                stream[0].write(ByteBuffer.allocate(1000));
              }
            });
    stream[0].write(ByteBuffer.allocate(1000));
    long bytes = 0;
    for (ByteBuffer buffer : end.session.nextBatch(10_000, 0)) {
      bytes += buffer.remaining();
    }
    assertThat(bytes).isBetween(10_000L, 11_012L);
    assertThat(end.session.hasOutput()).isTrue();
  }

  @Test
  void nextBatchFromWritableIsRefused() {
    Peer end = new Peer(Role.SERVER);
    end.open(
            new Recorder() {
              @Override
              public void writable() {
                end.session.nextBatch(1, 0);
              }
            })
        .write(ByteBuffer.allocate(1));
    assertThatThrownBy(() -> end.session.nextBatch(100, 0))
        .hasMessage("nextBatch: called from inside itself");
  }

  @Test
  void readyStreamsTakeTurns() {
    Peer end =
        new Peer(Role.SERVER, new SessionSettings(1 << 24, 32 * 1024, 99, 99, 99, 99), 1 << 30);
    for (int i = 0; i < 10; i++) {
      end.open(new Recorder()).write(ByteBuffer.allocate(200_000));
    }
    byte[] out = Bytes.outputBytes(end.session);
    List<Integer> order = new ArrayList<>();
    ByteBuffer all = ByteBuffer.wrap(out).position(120);
    while (all.hasRemaining()) {
      order.add(all.getInt(all.position() + 4));
      all.position(all.position() + 12 + all.getInt(all.position() + 8));
    }
    assertThat(order).hasSize(70);
    for (int i = 0; i < order.size(); i++) {
      assertThat(order.get(i)).isEqualTo(2 + 2 * (i % 10));
    }
  }

  @Test
  void synsBeyondThePeersBacklogWait() throws ProtocolViolation {
    Peer end = new Peer(Role.SERVER, new SessionSettings(1 << 18, 1024, 2, 100, 4, 99), 1 << 30);
    List<YamuxStream> streams = new ArrayList<>();
    List<Recorder> recorders = new ArrayList<>();
    for (int i = 0; i < 6; i++) {
      recorders.add(new Recorder());
      streams.add(end.open(recorders.getLast()));
    }
    assertThat(end.session.open(new Recorder()))
        .isEqualTo(new OpenResult.Refused(OpenResult.Reason.TOO_MANY_PENDING));
    assertThat(end.output()).isEqualTo("000100010000000200000000" + "000100010000000400000000");

    streams.get(2).write(Bytes.hex("aa"));
    streams.get(2).finish();
    streams.get(3).reset();
    streams.get(4).finish();
    assertThat(end.session.hasOutput()).isFalse();
    assertThat(recorders.get(3).events).containsExactly("closed RESET_LOCALLY");
    assertThat(end.session.streamCount()).isEqualTo(5);

    end.send(frame(UPDATE, ACK, 2, 0));
    assertThat(end.output())
        .isEqualTo(
            "000100010000000600000000" + "000000000000000600000001aa" + "000100040000000600000000");
    end.send(frame(UPDATE, RST, 4, 0));
    assertThat(end.output()).isEqualTo("000100010000000a00000000" + "000100040000000a00000000");
    streams.get(2).reset();
    assertThat(end.output()).isEqualTo("000100080000000600000000" + "000100010000000c00000000");
  }

  @Test
  void anyFrameOfThePeerAcknowledges() throws ProtocolViolation {
    Peer end = new Peer(Role.SERVER, new SessionSettings(1 << 18, 1024, 1, 100, 4, 99), 1 << 30);
    end.open(new Recorder());
    end.open(new Recorder());
    end.output();
    end.send(data(0, 2, 1));
    assertThat(end.output()).isEqualTo("000100010000000400000000");
  }

  @Test
  void openingAndResettingWithoutReadingStaysBounded() {
    Peer end = new Peer(Role.SERVER, new SessionSettings(1 << 18, 1024, 9, 100, 9, 50), 1 << 30);
    for (int i = 0; i < 10_000; i++) {
      end.open(new Recorder()).reset();
    }
    assertThat(Bytes.outputBytes(end.session).length / 12).isBetween(50, 52);
  }

  @Test
  void idsRunOut() {
    SessionSettings settings = SessionSettings.defaults();
    Peer owner = new Peer(Role.CLIENT);
    YamuxSession session =
        new YamuxSession(Role.CLIENT, settings, new ByteBudget(0), owner, 0xffff_fffdL);
    session.open(new Recorder());
    session.open(new Recorder());
    assertThat(Bytes.output(session))
        .isEqualTo("00010001fffffffd00000000" + "00010001ffffffff00000000");
    assertThat(session.open(new Recorder()))
        .isEqualTo(new OpenResult.Refused(OpenResult.Reason.IDS_EXHAUSTED));
  }

  @Test
  void goAwayOfThePeerEndsOpening() throws ProtocolViolation {
    Peer end = new Peer(Role.SERVER, new SessionSettings(1 << 18, 1024, 1, 100, 9, 99), 1 << 30);
    Recorder running = new Recorder();
    end.open(running);
    Recorder waiting = new Recorder();
    end.open(waiting);
    end.send(frame(GO_AWAY, 0, 0, 0), frame(GO_AWAY, 0, 0, 1), frame(GO_AWAY, 0, 0, 77));
    assertThat(end.goAways)
        .containsExactly(GoAwayCode.NORMAL, GoAwayCode.PROTOCOL_ERROR, GoAwayCode.INTERNAL_ERROR);
    assertThat(waiting.events).containsExactly("closed RESET_BY_PEER");
    assertThat(running.events).isEmpty();
    assertThat(end.session.open(new Recorder())).isEqualTo(GOING_AWAY);
  }

  @Test
  void afterOurGoAwayNewStreamsAreRefusedAndOldOnesGoOn() throws ProtocolViolation {
    Peer end = new Peer(Role.SERVER);
    end.send(frame(UPDATE, SYN, 1, 0));
    end.session.goAway(GoAwayCode.NORMAL);
    end.send(frame(UPDATE, SYN, 3, 0), data(0, 3, 4), data(0, 1, 4));
    assertThat(end.opened).hasSize(1);
    assertThat(end.recorders.getFirst().events).containsExactly("received 4");
    assertThat(end.output()).isEqualTo("000300000000000000000000" + "000100080000000300000000");
    assertThat(end.session.open(new Recorder())).isEqualTo(GOING_AWAY);
  }

  @Test
  void theRoundTripTimeIsTheLeastOfTheLastPings() throws ProtocolViolation {
    Peer end = new Peer(Role.SERVER);
    assertThat(end.session.pingSentNanos()).isNull();
    end.session.ping(100);
    end.session.ping(200);
    assertThat(end.session.pingSentNanos()).isEqualTo(100);
    assertThat(end.output()).isEqualTo("000200010000000000000001");
    end.now = 8100;
    end.send(frame(PING, ACK, 0, 1));
    assertThat(end.session.rttNanos()).isEqualTo(8000);
    assertThat(end.session.pingSentNanos()).isNull();
    end.measureRtt(16_000);
    assertThat(end.session.rttNanos()).isEqualTo(8000);
    for (int i = 0; i < 7; i++) {
      end.measureRtt(16_000);
    }
    assertThat(end.session.rttNanos()).isEqualTo(16_000);
  }

  @Test
  void endClosesEveryStreamAndReturnsAllBudget() throws ProtocolViolation {
    Peer end = new Peer(Role.SERVER);
    Recorder ours = new Recorder();
    YamuxStream stream = end.open(ours);
    stream.write(ByteBuffer.allocate(10));
    end.send(data(SYN, 1, 1000));
    end.session.end();
    end.session.end();
    assertThat(ours.events).containsExactly("closed SESSION_ENDED");
    assertThat(end.recorders.getFirst().events)
        .containsExactly("received 1000", "closed SESSION_ENDED");
    assertThat(end.budget.used()).isZero();
    assertThat(end.session.streamCount()).isZero();
    assertThat(end.session.hasOutput()).isFalse();
    assertThat(end.session.open(new Recorder())).isEqualTo(GOING_AWAY);
    stream.reset();
    end.opened.getFirst().consumed(1000, 0);
    end.session.ping(1);
    end.session.goAway(GoAwayCode.NORMAL);
    end.send(frame(UPDATE, SYN, 3, 0));
    assertThat(end.output()).isEmpty();
    assertThat(end.budget.used()).isZero();
  }

  @Test
  void endFromInsideACallbackIsTheEnd() throws ProtocolViolation {
    Peer end = new Peer(Role.SERVER);
    Recorder recorder =
        new Recorder() {
          @Override
          public void received(ByteBuffer bytes) {
            super.received(bytes);
            end.session.end();
          }
        };
    end.open(recorder);
    end.output();
    end.send(Bytes.join(data(FIN, 2, 3), frame(UPDATE, SYN, 1, 0)));
    assertThat(recorder.events).containsExactly("received 3", "closed SESSION_ENDED");
    assertThat(end.opened).isEmpty();
  }

  @Test
  void theTableKeepsItsStreamsThroughGrowthAndRemoval() {
    Peer end = new Peer(Role.SERVER);
    StreamTable table = new StreamTable();
    Map<Integer, YamuxStream> model = new HashMap<>();
    var random = Seeds.random(1);
    for (int i = 0; i < 200_000; i++) {
      int id = 1 + random.nextInt(i < 100_000 ? 3000 : 60);
      YamuxStream present = model.remove(id);
      assertThat(table.get(id)).isSameAs(present);
      if (present != null) {
        table.remove(id);
      } else if (random.nextInt(100) < (i < 100_000 ? 90 : 50)) {
        YamuxStream stream = new YamuxStream(end.session, id, Handshake.DONE);
        model.put(id, stream);
        table.add(stream);
      }
      assertThat(table.size()).isEqualTo(model.size());
    }
    assertThat(table.all()).containsExactlyInAnyOrderElementsOf(model.values());
  }

  @Test
  void settingsOutOfBoundsAreNamed() {
    assertThatThrownBy(() -> new SessionSettings(262_143, 1024, 1, 1, 1, 1))
        .hasMessage("maxWindow: 262143 (expected: 262144 to 1073741824)");
    assertThatThrownBy(() -> new SessionSettings(262_144, 1023, 1, 1, 1, 1))
        .hasMessage("maxFrame: 1023 (expected: 1024 to 1048576)");
  }
}
