package dev.penstock.gateway.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class LocalLinksTest {
  private final LocalLinks links = new LocalLinks();

  @Test
  void onlyWhatChangesIsToldAgain() {
    int bucket = LocalLinks.bucketOf("lab");
    assertThat(links.update("lab", new LinkLoad(1, 3))).hasValue(bucket);
    assertThat(links.update("lab", new LinkLoad(1, 3))).isEmpty();
    assertThat(links.update("lab", new LinkLoad(2, 3))).hasValue(bucket);
    assertThat(told(bucket)).isEqualTo(Map.of("lab", new LinkLoad(2, 3)));
    assertThat(links.update("lab", LinkLoad.NONE)).hasValue(bucket);
    assertThat(links.update("lab", LinkLoad.NONE)).isEmpty();
    assertThat(told(bucket)).isEmpty();
  }

  @Test
  void fewStreamsAreToldExactlyAndManyWithinAnEighth() {
    for (int streams = 0; streams <= 16; streams++) {
      assertThat(new LinkLoad(1, streams).rounded().outstanding()).isEqualTo(streams);
    }
    IntStream.of(17, 100, 1_000, 12_345, 1_000_000, Integer.MAX_VALUE)
        .forEach(streams ->
            assertThat(new LinkLoad(1, streams).rounded().outstanding())
                .isBetween((int) (streams * 7L / 8), streams));
  }

  @Test
  void whatDoesNotFitABucketIsNotToldAndIsCounted() {
    var first = new HashMap<Integer, Integer>();
    int told = 0;
    int asked = 0;
    for (int i = 0; first.getOrDefault(0, 0) < LocalLinks.MAX_PER_BUCKET + 5; i++) {
      String cluster = "cluster-" + i;
      if (LocalLinks.bucketOf(cluster) == 0) {
        first.merge(0, 1, Integer::sum);
        asked++;
        told += links.update(cluster, new LinkLoad(1, 0)).isPresent() ? 1 : 0;
      }
    }
    assertThat(asked).isEqualTo(LocalLinks.MAX_PER_BUCKET + 5);
    assertThat(told).isEqualTo(LocalLinks.MAX_PER_BUCKET);
    assertThat(links.takeUntold()).isEqualTo(5);
    assertThat(links.takeUntold()).isZero();
  }

  @Test
  void bucketsAreFilledEvenly() {
    var sizes = new HashMap<Integer, Integer>();
    IntStream.range(0, 100_000)
        .forEach(i -> sizes.merge(LocalLinks.bucketOf("tenant-" + i + ".lab"), 1, Integer::sum));
    assertThat(sizes).hasSize(LocalLinks.BUCKETS);
    assertThat(sizes.values()).allMatch(size -> size < 2 * 100_000 / LocalLinks.BUCKETS);
  }

  @Test
  void whereTheAgentsAreIsToldToo() {
    int bucket = LocalLinks.bucketOf("lab");
    assertThat(links.update("lab", new LinkLoad(1, 0, "east"))).hasValue(bucket);
    assertThat(links.update("lab", new LinkLoad(1, 0, "east"))).isEmpty();
    assertThat(links.update("lab", new LinkLoad(1, 0, "west"))).hasValue(bucket);
    assertThat(told(bucket)).isEqualTo(Map.of("lab", new LinkLoad(1, 0, "west")));
  }

  @Test
  void aNodeOfAnOlderReleaseDoesNotSayWhereTheAgentsAre() {
    var told = new HashMap<String, LinkLoad>();
    new LinksEntry(List.of("lab"), List.of(1), List.of(2), null).forEach(told::put);
    assertThat(told).isEqualTo(Map.of("lab", new LinkLoad(1, 2)));
  }

  private Map<String, LinkLoad> told(int bucket) {
    var told = new HashMap<String, LinkLoad>();
    links.entry(bucket).forEach(told::put);
    return told;
  }
}
