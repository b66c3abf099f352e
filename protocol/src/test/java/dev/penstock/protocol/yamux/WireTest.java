package dev.penstock.protocol.yamux;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import org.junit.jupiter.api.Test;

/// The bytes of each event, typed from the specification.
class WireTest {
  @Test
  void anOpeningServerSendsSynOnAWindowUpdate() {
    Peer end = new Peer(Role.SERVER);
    end.open(new Recorder());
    assertThat(end.output()).isEqualTo("000100010000000200000000");
    end.open(new Recorder());
    assertThat(end.output()).isEqualTo("000100010000000400000000");
  }

  @Test
  void anOpeningClientCountsFromOne() {
    Peer end = new Peer(Role.CLIENT);
    end.open(new Recorder());
    end.open(new Recorder());
    assertThat(end.output()).isEqualTo("000100010000000100000000" + "000100010000000300000000");
  }

  @Test
  void dataFollowsTheSynAtOnceAndFinTheLastByte() {
    Peer end = new Peer(Role.SERVER);
    YamuxStream stream = end.open(new Recorder());
    stream.write(Bytes.hex("cafe01"));
    stream.finish();
    stream.finish();
    assertThat(end.output())
        .isEqualTo(
            "000100010000000200000000"
                + "000000000000000200000003cafe01"
                + "000100040000000200000000");
  }

  @Test
  void acceptingSendsAckOnAWindowUpdate() throws ProtocolViolation {
    Peer end = new Peer(Role.CLIENT);
    end.send(Bytes.hex("00 01 0001 00000002 00000000"));
    assertThat(end.output()).isEmpty();
    end.opened.getFirst().accept();
    end.opened.getFirst().accept();
    assertThat(end.output()).isEqualTo("000100020000000200000000");
  }

  @Test
  void aLargerWindowOfThePeerComesWithItsAck() throws ProtocolViolation {
    Peer end = new Peer(Role.SERVER);
    YamuxStream stream = end.open(new Recorder());
    end.send(Bytes.hex("00 01 0002 00000002 000c0000"));
    stream.write(ByteBuffer.allocate(2 << 20));
    int frames = (1 << 20) / (32 * 1024);
    assertThat(Bytes.outputBytes(end.session)).hasSize(12 + (1 << 20) + 12 * frames);
  }

  @Test
  void aDataFrameMayCarrySyn() throws ProtocolViolation {
    Peer end = new Peer(Role.SERVER);
    end.send(Bytes.hex("00 00 0001 00000001 00000002 abcd"));
    assertThat(end.recorders.getFirst().events).containsExactly("received 2");
  }

  @Test
  void resetSendsRst() throws ProtocolViolation {
    Peer end = new Peer(Role.SERVER);
    end.send(Bytes.frame(Bytes.UPDATE, Bytes.SYN, 1, 0));
    end.opened.getFirst().reset();
    end.opened.getFirst().reset();
    assertThat(end.output()).isEqualTo("000100080000000100000000");
  }

  @Test
  void pingsAreAnsweredWithTheSameValue() throws ProtocolViolation {
    Peer end = new Peer(Role.SERVER);
    end.send(Bytes.hex("00 02 0001 00000000 deadbeef"));
    assertThat(end.output()).isEqualTo("0002000200000000deadbeef");
  }

  @Test
  void ourPingAndGoAway() {
    Peer end = new Peer(Role.SERVER);
    end.session.ping(0);
    end.session.goAway(GoAwayCode.INTERNAL_ERROR);
    assertThat(end.output()).isEqualTo("000200010000000000000001" + "000300000000000000000002");
  }

  @Test
  void creditIsGivenBackFromHalfTheWindowOn() throws ProtocolViolation {
    Peer end = new Peer(Role.SERVER);
    end.send(Bytes.data(Bytes.SYN, 1, 0x20000));
    YamuxStream stream = end.opened.getFirst();
    stream.accept();
    end.output();
    stream.consumed(0x1ffff, 0);
    assertThat(end.output()).isEmpty();
    stream.consumed(1, 0);
    assertThat(end.output()).isEqualTo("000100000000000100020000");
  }

  @Test
  void manySmallFramesLeaveAsOneBuffer() {
    Peer end = new Peer(Role.SERVER);
    for (int i = 0; i < 20; i++) {
      end.open(new Recorder()).write(ByteBuffer.allocate(10));
    }
    assertThat(end.session.nextBatch(1 << 16, 0)).hasSize(1);
  }

  @Test
  void largePayloadsAreNotCopied() {
    Peer end = new Peer(Role.SERVER);
    byte[] bytes = new byte[40_000];
    end.open(new Recorder()).write(ByteBuffer.wrap(bytes));
    ByteBuffer[] batch = end.session.nextBatch(1 << 20, 0);
    assertThat(batch).hasSize(4);
    assertThat(batch[1].array()).isSameAs(bytes);
    assertThat(batch[1].remaining()).isEqualTo(32 * 1024);
    assertThat(batch[3].array()).isSameAs(bytes);
    assertThat(batch[3].remaining()).isEqualTo(40_000 - 32 * 1024);
  }
}
