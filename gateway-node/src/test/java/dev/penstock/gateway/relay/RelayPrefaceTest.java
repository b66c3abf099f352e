package dev.penstock.gateway.relay;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.penstock.config.Secret;
import dev.penstock.gateway.observe.RelayRejection;
import dev.penstock.gateway.relay.RelayPreface.Called;
import dev.penstock.gateway.relay.RelayPreface.Calling;
import dev.penstock.gateway.relay.RelayPreface.Peer;
import dev.penstock.gateway.relay.RelayPreface.Self;
import dev.penstock.protocol.Seeds;
import dev.penstock.protocol.net.Preface;
import dev.penstock.protocol.net.Preface.Step;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class RelayPrefaceTest {
  private static final Secret SECRET = Secret.of("the cluster's secret");

  private final List<RelayRejection> rejected = new ArrayList<>();
  private Optional<String> obstacle = Optional.empty();

  static LongStream seeds() {
    return Seeds.many();
  }

  private static Self self(String node, Secret secret) {
    return new Self("penstock", node, 4, secret);
  }

  private static byte[] random(int fill) {
    var bytes = new byte[RelayPreface.RANDOM_BYTES];
    Arrays.fill(bytes, (byte) fill);
    return bytes;
  }

  private Called called(Self self) {
    return new Called(self, random(2), _ -> obstacle, (why, _) -> rejected.add(why));
  }

  private static Calling calling(Self self, int loop) {
    return new Calling(self, "b", loop, random(1));
  }

  private static byte[] said(Step<Peer> step) {
    return ((Step.Say<Peer>) step).body();
  }

  /// Lets two ends talk; what each ended with, the caller first.
  private static List<Step<Peer>> talk(Preface<Peer> caller, Preface<Peer> called) {
    byte[] message = caller.begin().getFirst();
    while (true) {
      Step<Peer> answer = called.received(message);
      byte[] back =
          switch (answer) {
            case Step.Say<Peer>(var body) -> body;
            case Step.Done<Peer>(var last, _) -> last;
            case Step.Refuse<Peer>(var last, _) -> last;
          };
      Step<Peer> next = caller.received(back);
      if (!(answer instanceof Step.Say<Peer>)) {
        return List.of(next, answer);
      }
      if (!(next instanceof Step.Say<Peer>(var body))) {
        return List.of(next, answer);
      }
      message = body;
    }
  }

  private static String why(Step<Peer> step) {
    return step instanceof Step.Refuse<Peer>(_, var why) ? why : "not refused: " + step;
  }

  @Test
  void twoNodesOfOneClusterComeTogetherOnTheLoopThatIsWanted() {
    var ends = talk(calling(self("a", SECRET), 3), called(self("b", SECRET)));
    assertThat(ends.getFirst())
        .isInstanceOfSatisfying(
            Step.Done.class, done -> assertThat(done.result()).isEqualTo(new Peer("b", 3, 2)));
    assertThat(ends.getLast())
        .isInstanceOfSatisfying(
            Step.Done.class, done -> assertThat(done.result()).isEqualTo(new Peer("a", 3, 2)));
    assertThat(rejected).isEmpty();
  }

  @Test
  void aLoopThatTheNodeDoesNotHaveIsOneThatItHas() {
    var ends = talk(calling(self("a", SECRET), 7), called(self("b", SECRET)));
    assertThat(ends.getLast())
        .isInstanceOfSatisfying(
            Step.Done.class, done -> assertThat(done.result()).isEqualTo(new Peer("a", 3, 2)));
  }

  @Test
  void theWireOfTheFirstTwoMessagesIsFixed() {
    var hex = HexFormat.of();
    byte[] hello = calling(self("a", SECRET), 3).begin().getFirst();
    assertThat(hex.formatHex(hello))
        .isEqualTo(
            "010102"
                + "08"
                + hex.formatHex("penstock".getBytes(UTF_8))
                + "01"
                + "61"
                + "0003"
                + "01".repeat(32));
    assertThat(hex.formatHex(said(called(self("b", SECRET)).received(hello))))
        .isEqualTo("0202" + "01" + "62" + "0004" + "02".repeat(32));
  }

  @Test
  void aNodeOfTheFirstReleaseIsSpokenToAsItSpeaks() {
    byte[] older = calling(self("a", SECRET), 3).begin().getFirst().clone();
    older[2] = 1;
    byte[] challenge = said(called(self("b", SECRET)).received(older));
    assertThat(challenge[1]).isEqualTo((byte) 1);
    var caller = calling(self("a", SECRET), 3);
    var _ = caller.begin();
    assertThat(caller.received(challenge)).isInstanceOf(Step.Say.class);
  }

  @Test
  void aVersionThatNobodyOfferedIsRefused() {
    byte[] hello = calling(self("a", SECRET), 3).begin().getFirst();
    byte[] challenge = said(called(self("b", SECRET)).received(hello)).clone();
    for (int version : new int[] {0, 3, 255}) {
      challenge[1] = (byte) version;
      assertThat(why(calling(self("a", SECRET), 3).received(challenge)))
          .contains("version: " + version + " (expected: 1 to 2)");
    }
    byte[] empty = hello.clone();
    empty[1] = 2;
    empty[2] = 1;
    assertThat(why(called(self("b", SECRET)).received(empty))).contains("version: 2 to 1");
  }

  @Test
  void theSecretIsInNoMessage() {
    var caller = calling(self("a", SECRET), 0);
    var callee = called(self("b", SECRET));
    byte[] hello = caller.begin().getFirst();
    byte[] challenge = said(callee.received(hello));
    byte[] proof = said(caller.received(challenge));
    var last = ((Step.Done<Peer>) callee.received(proof)).last();
    for (byte[] message : List.of(hello, challenge, proof, last)) {
      assertThat(new String(message, UTF_8)).doesNotContain(SECRET.reveal());
    }
    assertThat(Arrays.copyOfRange(proof, 1, 33)).isNotEqualTo(Arrays.copyOfRange(last, 1, 33));
  }

  @Test
  void anotherSecretIsRefusedAndTheCallerIsToldWhy() {
    var ends = talk(calling(self("a", Secret.of("guessed")), 0), called(self("b", SECRET)));
    assertThat(rejected).containsExactly(RelayRejection.WRONG_SECRET);
    assertThat(why(ends.getFirst())).contains("b refused this node").contains("secret");
  }

  @Test
  void aCalledNodeThatDoesNotHaveTheSecretIsNotBelieved() {
    var caller = calling(self("a", SECRET), 0);
    byte[] challenge = said(called(self("b", SECRET)).received(caller.begin().getFirst()));
    assertThat(caller.received(challenge)).isInstanceOf(Step.Say.class);
    var forged = new byte[33];
    forged[0] = 4;
    assertThat(why(caller.received(forged))).isEqualTo("b has another secret");
  }

  @Test
  void theCallersOwnProofIsNoProofOfTheOther() {
    var caller = calling(self("a", SECRET), 0);
    byte[] challenge = said(called(self("b", SECRET)).received(caller.begin().getFirst()));
    byte[] mirrored = said(caller.received(challenge)).clone();
    mirrored[0] = 4;
    assertThat(why(caller.received(mirrored))).isEqualTo("b has another secret");
  }

  @Test
  void aProofOfAnotherTimeIsNone() {
    var caller = calling(self("a", SECRET), 0);
    byte[] proof =
        said(caller.received(said(called(self("b", SECRET)).received(caller.begin().getFirst()))));
    var later = new Called(self("b", SECRET), random(9), _ -> obstacle, (w, _) -> rejected.add(w));
    later.received(caller.begin().getFirst());
    assertThat(later.received(proof)).isInstanceOf(Step.Refuse.class);
    assertThat(rejected).containsExactly(RelayRejection.WRONG_SECRET);
  }

  @Test
  void anotherClusterAnotherVersionAndTheNodeItselfAreRefused() {
    called(self("b", SECRET))
        .received(
            new Calling(new Self("other", "a", 1, SECRET), "b", 0, random(1)).begin().getFirst());
    called(self("a", SECRET)).received(calling(self("a", SECRET), 0).begin().getFirst());
    byte[] newer = calling(self("a", SECRET), 0).begin().getFirst().clone();
    newer[1] = 3;
    newer[2] = 4;
    assertThat(why(called(self("b", SECRET)).received(newer)))
        .isEqualTo("version: 3 to 4 (expected: one of 1 to 2)");
    assertThat(rejected)
        .containsExactly(
            RelayRejection.WRONG_CLUSTER, RelayRejection.WRONG_NODE, RelayRejection.WRONG_VERSION);
  }

  @Test
  void aNameThatCouldBreakALogLineIsRefused() {
    var step =
        called(self("b", SECRET)).received(calling(self("a\nb", SECRET), 0).begin().getFirst());
    assertThat(why(step)).isEqualTo("a text with control characters");
    assertThat(rejected).containsExactly(RelayRejection.MALFORMED);
  }

  @Test
  void aNodeThatSpeaksANewerVersionToIsUnderstood() {
    byte[] newer = calling(self("a", SECRET), 0).begin().getFirst().clone();
    newer[2] = 9;
    assertThat(called(self("b", SECRET)).received(newer)).isInstanceOf(Step.Say.class);
  }

  @Test
  void anotherNodeThanTheOneMeantIsNotSpokenTo() {
    var ends = talk(calling(self("a", SECRET), 0), called(self("c", SECRET)));
    assertThat(why(ends.getFirst())).isEqualTo("node: c (expected: b)");
  }

  @Test
  void aNodeThatHasTooManyLinksIsToldSoOnlyWhenItHasProvedItself() {
    obstacle = Optional.of("links of this node: 4 are open (expected: no more)");
    var ends = talk(calling(self("a", SECRET), 0), called(self("b", SECRET)));
    assertThat(why(ends.getFirst())).contains("links of this node");
    talk(calling(self("a", Secret.of("guessed")), 0), called(self("b", SECRET)));
    assertThat(rejected)
        .containsExactly(RelayRejection.TOO_MANY_LINKS, RelayRejection.WRONG_SECRET);
  }

  @ParameterizedTest(name = "seed {0}")
  @MethodSource("seeds")
  void whateverBytesComeNobodyIsLetInAndNothingBreaks(long seed) {
    var random = Seeds.random(seed);
    byte[] hello = calling(self("a", SECRET), 0).begin().getFirst();
    var callee = called(self("b", SECRET));
    if (random.nextBoolean()) {
      callee.received(hello);
    }
    for (int i = 0; i < 20; i++) {
      byte[] message = random.nextBoolean() ? hello.clone() : new byte[random.nextInt(200)];
      if (message.length > 0) {
        message[random.nextInt(message.length)] ^= (byte) (1 + random.nextInt(255));
        message[0] = (byte) random.nextInt(10);
      }
      assertThat(callee.received(Arrays.copyOf(message, random.nextInt(message.length + 1))))
          .isNotInstanceOf(Step.Done.class);
      var caller = calling(self("a", SECRET), 0);
      assertThat(caller.received(message)).isNotInstanceOf(Step.Done.class);
    }
  }
}
