package dev.penstock.gateway.links;

import static org.assertj.core.api.Assertions.assertThat;

import dev.penstock.protocol.Seeds;
import dev.penstock.protocol.control.DialStatus;
import dev.penstock.protocol.link.DatagramStream.Framing;
import java.util.List;
import java.util.Set;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;

class LinksTest {
  private final Links links = new Links(2);
  private final RandomGenerator random = Seeds.random(1);

  private static AgentLink link(String cluster) {
    return new AgentLink(cluster, null, Set.of(), Framing.LENGTHS, null);
  }

  @Test
  void aClusterWithoutALinkHasNoChoice() {
    links.add(link("shop"));
    assertThat(links.choose("lab", Set.of(), random)).isNull();
  }

  @Test
  void oneLinkTooManyIsNotAddedAndOtherClustersDoNotCount() {
    assertThat(links.add(link("lab"))).isTrue();
    assertThat(links.add(link("shop"))).isTrue();
    assertThat(links.add(link("lab"))).isTrue();
    assertThat(links.add(link("lab"))).isFalse();
    assertThat(links.add(link("shop"))).isTrue();
  }

  @Test
  void aRemovedLinkIsNotChosenAndMakesRoom() {
    var first = link("lab");
    var second = link("lab");
    links.add(first);
    links.add(second);
    links.remove(first);
    for (int i = 0; i < 20; i++) {
      assertThat(links.choose("lab", Set.of(), random)).isSameAs(second);
    }
    assertThat(links.add(link("lab"))).isTrue();
  }

  @Test
  void theLastLinkRemovedLeavesNoChoice() {
    var only = link("lab");
    links.add(only);
    links.remove(only);
    links.remove(only);
    assertThat(links.choose("lab", Set.of(), random)).isNull();
  }

  @Test
  void linksThatWereTriedAreNotChosenAgain() {
    var first = link("lab");
    var second = link("lab");
    links.add(first);
    links.add(second);
    for (int i = 0; i < 20; i++) {
      assertThat(links.choose("lab", Set.of(first), random)).isSameAs(second);
    }
    assertThat(links.choose("lab", Set.of(first, second), random)).isNull();
  }

  @Test
  void aSilentLinkIsChosenOnlyWhenNoOtherIsLeft() {
    var silent = link("lab");
    var speaking = link("lab");
    links.add(silent);
    links.add(speaking);
    silent.silent();
    for (int i = 0; i < 20; i++) {
      assertThat(links.choose("lab", Set.of(), random)).isSameAs(speaking);
    }
    assertThat(links.choose("lab", Set.of(speaking), random)).isSameAs(silent);
    silent.speaksAgain();
    assertThat(links.choose("lab", Set.of(), random)).isSameAs(silent);
  }

  @Test
  void theOthersOfALinkAreThoseOfItsCluster() {
    var one = link("lab");
    var two = link("lab");
    links.add(one);
    links.add(two);
    links.add(link("shop"));
    assertThat(links.others(one)).containsExactly(two);
  }

  @Test
  void aChoiceCountsAtOnceAndIsGivenBack() {
    var first = link("lab");
    var second = link("lab");
    links.add(first);
    links.add(second);
    for (int i = 0; i < 10; i++) {
      links.choose("lab", Set.of(), random);
    }
    assertThat(first.outstanding()).isEqualTo(5);
    assertThat(second.outstanding()).isEqualTo(5);
    first.released();
    assertThat(links.choose("lab", Set.of(), random)).isSameAs(first);
  }

  @Test
  void withoutALinkHereTheWaysOverOtherNodesAreTaken() {
    var there = link("lab");
    links.reachOver(cluster -> cluster.equals("lab") ? List.of(there) : List.of());
    assertThat(links.choose("lab", Set.of(), random)).isSameAs(there);
    assertThat(links.choose("shop", Set.of(), random)).isNull();
    assertThat(links.choose("lab", Set.of(there), random)).isNull();
  }

  @Test
  void aLinkWhoseDialsFailInARowIsLeftOutWhileThereIsAnother() {
    var failing = link("lab");
    var there = link("lab");
    links.add(failing);
    links.reachOver(_ -> List.of(there));
    var refused = new DialStatus(DialStatus.Code.REFUSED, "");
    for (int i = 0; i < Ejection.TOLERATED; i++) {
      assertThat(links.choose("lab", Set.of(), random)).isSameAs(failing);
      failing.failed(refused);
    }
    assertThat(links.choose("lab", Set.of(), random)).isSameAs(there);
    assertThat(links.choose("lab", Set.of(there), random)).isSameAs(failing);
    failing.reached(refused);
    assertThat(links.choose("lab", Set.of(), random)).isSameAs(failing);
  }
}
