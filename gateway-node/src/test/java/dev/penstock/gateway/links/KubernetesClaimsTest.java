package dev.penstock.gateway.links;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class KubernetesClaimsTest {
  private final KubernetesClaims claims = new KubernetesClaims();

  @Test
  void aNameIsOfTheFirstUntilItsLastSocketIsClosed() {
    assertThat(claims.against("lab", "east")).isEmpty();
    claims.opened("lab", "east");
    claims.opened("lab", "east");
    assertThat(claims.against("lab", "east")).isEmpty();
    assertThat(claims.against("lab", "west"))
        .hasValueSatisfying(why -> assertThat(why).contains("east"));
    claims.closed("lab", "east");
    assertThat(claims.against("lab", "west")).isPresent();
    claims.closed("lab", "east");
    assertThat(claims.against("lab", "west")).isEmpty();
    assertThat(claims.against("lab", "east")).isEmpty();
  }

  @Test
  void ofTwoThatCameAtOnceTheFirstKeepsIt() {
    claims.opened("lab", "west");
    claims.opened("lab", "east");
    assertThat(claims.against("lab", "west")).isEmpty();
    assertThat(claims.against("lab", "east")).isPresent();
    claims.closed("lab", "west");
    assertThat(claims.against("lab", "east")).isEmpty();
    assertThat(claims.against("lab", "west")).isPresent();
  }

  @Test
  void whoHasTheNameAtAnotherNodeHasItHereToo() {
    claims.alsoAsk(cluster -> cluster.equals("lab") ? Stream.of("east") : Stream.empty());
    assertThat(claims.against("lab", "east")).isEmpty();
    assertThat(claims.against("lab", "west"))
        .hasValueSatisfying(why -> assertThat(why).contains("east"));
    assertThat(claims.against("shop", "west")).isEmpty();
    assertThat(claims.holder("lab")).as("at this node").isEmpty();
  }

  @Test
  void ofTwoThatCameAtOnceToTwoNodesBothNodesNameTheSame() {
    claims.opened("lab", "west");
    claims.alsoAsk(_ -> Stream.of("east"));
    assertThat(claims.against("lab", "west")).isPresent();
    assertThat(claims.against("lab", "east")).isEmpty();
    var other = new KubernetesClaims();
    other.opened("lab", "east");
    other.alsoAsk(_ -> Stream.of("west"));
    assertThat(other.against("lab", "west")).isPresent();
    assertThat(other.against("lab", "east")).isEmpty();
  }

  @Test
  void anotherNameIsAnotherMatter() {
    claims.opened("lab", "east");
    assertThat(claims.against("shop", "west")).isEmpty();
  }
}
