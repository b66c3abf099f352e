package dev.penstock.gateway.relay;

import static org.assertj.core.api.Assertions.assertThat;

import dev.penstock.gateway.relay.RelayAnswer.Kind;
import dev.penstock.protocol.control.DialStatus;
import dev.penstock.protocol.control.DialStatus.Code;
import java.util.List;
import java.util.TreeSet;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RelayAnswerTest {
  private static final TreeSet<Integer> LOOPS = new TreeSet<>(List.of(0, 2));

  @Test
  void whatANodeAnswersIsReadAsItWasMeant() {
    assertThat(RelayAnswer.of(RelayAnswer.reached(LOOPS)))
        .isEqualTo(new RelayAnswer(Kind.REACHED, List.of(0, 2)));
    assertThat(RelayAnswer.of(RelayAnswer.elsewhere(LOOPS)))
        .isEqualTo(new RelayAnswer(Kind.ELSEWHERE, List.of(0, 2)));
    assertThat(RelayAnswer.of(RelayAnswer.noLink()))
        .isEqualTo(new RelayAnswer(Kind.NO_LINK, List.of()));
    var refused = new DialStatus(Code.REFUSED, "nobody listens");
    assertThat(RelayAnswer.of(RelayAnswer.notReached(refused, LOOPS)))
        .isEqualTo(new RelayAnswer(Kind.NOT_REACHED, List.of(0, 2)));
  }

  @Test
  void theAgentsReasonIsPassedOnAndItsCodeToo() {
    var refused = new DialStatus(Code.REFUSED, "nobody listens");
    assertThat(RelayAnswer.notReached(refused, new TreeSet<>(List.of(1)))).isEqualTo(refused);
    var told = RelayAnswer.notReached(refused, LOOPS);
    assertThat(told.code()).isEqualTo(Code.REFUSED);
    assertThat(told.text()).startsWith("nobody listens ");
  }

  @Test
  void theLongestReasonAndTheMostLoopsFitTogether() {
    var loops = new TreeSet<>(IntStream.range(900, 2_000).boxed().toList());
    var told = RelayAnswer.notReached(new DialStatus(Code.FAILED, "\u00e4".repeat(600)), loops);
    assertThat(RelayAnswer.of(told).loops()).hasSize(RelayAnswer.MOST_LOOPS);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "elsewhere",
        "elsewhere 1,2",
        "[loops",
        "[loops 1",
        "]",
        "1]",
        "no-link here",
        "[loops ]x"
      })
  void anAgentsTextIsNoAnswerOfANode(String text) {
    assertThat(RelayAnswer.of(new DialStatus(Code.FAILED, text)))
        .isEqualTo(new RelayAnswer(Kind.NOT_REACHED, List.of()));
  }

  @ParameterizedTest
  @ValueSource(strings = {"[loops ]", "[loops -1]", "[loops 99999]", "[loops a,b]", "[loops ,,,]"})
  void wordsThatAreNoLoopsAreLeftOut(String text) {
    assertThat(RelayAnswer.of(new DialStatus(Code.CONNECTED, text)).loops()).isEmpty();
  }
}
