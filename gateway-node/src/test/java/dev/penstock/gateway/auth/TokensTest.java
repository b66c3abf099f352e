package dev.penstock.gateway.auth;

import static org.assertj.core.api.Assertions.assertThat;

import dev.penstock.config.Secret;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.NullSource;
import org.junit.jupiter.params.provider.ValueSource;

class TokensTest {
  private final Tokens tokens =
      new Tokens(Map.of(Secret.of("a1"), "lab", Secret.of("a2"), "lab", Secret.of("b"), "shop"));

  @Test
  void everyTokenStandsForItsCluster() {
    assertThat(tokens.clusterOf(Secret.of("a1"))).contains("lab");
    assertThat(tokens.clusterOf(Secret.of("a2"))).contains("lab");
    assertThat(tokens.clusterOf(Secret.of("b"))).contains("shop");
    assertThat(tokens.clusterOf(Secret.of("a"))).isEmpty();
    assertThat(tokens.clusterOf(Secret.of(""))).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(strings = {"Bearer b", "bearer b", "BEARER   b  "})
  void theSchemeIsReadInAnyCase(String header) {
    assertThat(tokens.clusterOfHeader(header)).contains("shop");
  }

  @ParameterizedTest
  @NullSource
  @ValueSource(
      strings = {"", "b", "Bearer", "Bearer ", "Bearerb", "Basic b", "Bearer b c", " Bearer b"})
  void whatIsNoBearerTokenStandsForNobody(String header) {
    assertThat(tokens.clusterOfHeader(header)).isEmpty();
  }

  @Test
  void anEndlessTokenIsRefusedBeforeItIsCompared() {
    assertThat(Tokens.bearer("Bearer " + "x".repeat(5000))).isEmpty();
  }
}
