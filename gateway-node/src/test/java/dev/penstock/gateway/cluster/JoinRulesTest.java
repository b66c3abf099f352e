package dev.penstock.gateway.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import java.util.Map;
import org.junit.jupiter.api.Test;

class JoinRulesTest {
  private static Config node(String name, String digest, int min, int max) {
    return ConfigFactory.parseMap(
        Map.of(
            JoinRules.NAME, name,
            JoinRules.DIGEST, digest,
            JoinRules.WIRE_MIN, min,
            JoinRules.WIRE_MAX, max));
  }

  private static final Config OWN = node("lab", "d1", 2, 3);

  @Test
  void releasesThatSpeakOneVersionInCommonMix() {
    assertThat(JoinRules.problems(node("lab", "d1", 1, 2), OWN)).isEmpty();
    assertThat(JoinRules.problems(node("lab", "d1", 3, 9), OWN)).isEmpty();
    assertThat(JoinRules.problems(OWN, OWN)).isEmpty();
  }

  @Test
  void everythingElseIsRefusedWithTheReason() {
    assertThat(JoinRules.problems(node("lab", "d1", 4, 5), OWN))
        .containsExactly(
            "not of this cluster: a release that speaks versions 4 to 5 (expected: one of 2 to 3)");
    assertThat(JoinRules.problems(node("lab", "d1", 1, 1), OWN)).hasSize(1);
    assertThat(JoinRules.problems(node("lab", "d2", 2, 3), OWN))
        .containsExactly("not of this cluster: another cluster.secret");
    assertThat(JoinRules.problems(node("other", "d3", 2, 3), OWN))
        .containsExactly("not of this cluster: cluster.name \"other\" (expected: \"lab\")");
    assertThat(JoinRules.problems(node("a\nb", "d3", 2, 3), OWN))
        .singleElement()
        .asString()
        .doesNotContain("\n");
    assertThat(JoinRules.problems(ConfigFactory.empty(), OWN))
        .containsExactly("not of this cluster: another program");
  }
}
