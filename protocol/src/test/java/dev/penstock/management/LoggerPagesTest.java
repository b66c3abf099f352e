package dev.penstock.management;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.HashMap;
import java.util.Map;
import org.apache.pekko.actor.testkit.typed.javadsl.ActorTestKit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

class LoggerPagesTest {
  private static final String NAME = "dev.penstock.levels.Example";
  private static final Logger LOG = LoggerFactory.getLogger(NAME);
  private static final ActorTestKit KIT = ActorTestKit.create();

  /// Two hundred lines of the test below.
  private static final ch.qos.logback.classic.Logger OWN =
      (ch.qos.logback.classic.Logger) LoggerFactory.getLogger(LoggerPages.class);

  private final LoggerPages pages = new LoggerPages(KIT.system());

  @AfterAll
  static void end() {
    KIT.shutdownTestKit();
  }

  @AfterEach
  void restore() {
    pages.remove(NAME);
    pages.remove("dev.penstock.levels");
  }

  private ManagementServer.Answer put(String name, Map<String, String> query) {
    return pages.put(name, query).toCompletableFuture().join();
  }

  private String list() {
    return ((ManagementServer.Answer.Done) pages.list().toCompletableFuture().join()).json();
  }

  @Test
  void aLevelIsChangedAndIsAgainWhatItWas() throws Exception {
    assertThat(LOG.isDebugEnabled()).isFalse();
    var answer = (ManagementServer.Answer.Done) put(NAME, Map.of("level", "debug"));
    var told = new ObjectMapper().readTree(answer.json());
    assertThat(told.get("name").textValue()).isEqualTo(NAME);
    assertThat(told.get("level").textValue()).isEqualTo("debug");
    assertThat(told.get("configured").isNull()).isTrue();
    assertThat(told.get("until").isTextual()).isTrue();
    assertThat(LOG.isDebugEnabled()).isTrue();
    assertThat(list()).contains(NAME);
    assertThat(put(NAME, Map.of("level", "TRACE", "for", "0s")).toString()).contains("trace");
    assertThat(LOG.isTraceEnabled()).isTrue();
    pages.remove(NAME);
    assertThat(LOG.isDebugEnabled()).isFalse();
    assertThat(list()).doesNotContain(NAME).contains("root");
  }

  @Test
  void aPackageStandsForAllInIt() {
    put("dev.penstock.levels", Map.of("level", "off"));
    assertThat(LOG.isErrorEnabled()).isFalse();
  }

  @Test
  void theChangeEndsWithItsTime() {
    put(NAME, Map.of("level", "trace", "for", "50ms"));
    await().until(() -> !LOG.isTraceEnabled());
    assertThat(list()).doesNotContain(NAME);
  }

  @ParameterizedTest
  @CsvSource(
      nullValues = "-",
      value = {
        "dev.penstock.levels.Example, loud, -, 400, level: \"loud\"",
        "dev.penstock.levels.Example, -, -, 400, level: nothing",
        "dev.penstock.levels.Example, info, soon, 400, for: \"soon\"",
        "dev.penstock.levels.Example, info, 169h, 400, for: \"169h\"",
        "dev.penstock.levels.Nobody, info, -, 404, logger: \"dev.penstock.levels.Nobody\"",
        "'', info, -, 404, logger: \"\"",
      })
  void whatCannotBeDoneIsToldAndChangesNothing(
      String name, String level, String time, int status, String why) {
    var query = new HashMap<String, String>();
    if (level != null) {
      query.put("level", level);
    }
    if (time != null) {
      query.put("for", time);
    }
    var refused = (ManagementServer.Answer.Refused) put(name, query);
    assertThat(refused.status()).isEqualTo(status);
    assertThat(refused.detail()).startsWith(why).contains("(expected: ");
    assertThat(LOG.isInfoEnabled()).isTrue();
    assertThat(LOG.isDebugEnabled()).isFalse();
    assertThat(list()).doesNotContain("levels");
  }

  @Test
  void onlySoManyLoggersDiffer() {
    OWN.setLevel(ch.qos.logback.classic.Level.WARN);
    for (int i = 0; i <= LoggerPages.MAX_CHANGED; i++) {
      var _ = LoggerFactory.getLogger("many." + i);
    }
    try {
      for (int i = 0; i < LoggerPages.MAX_CHANGED; i++) {
        assertThat(put("many." + i, Map.of("level", "info")))
            .isInstanceOf(ManagementServer.Answer.Done.class);
      }
      var refused =
          (ManagementServer.Answer.Refused)
              put("many." + LoggerPages.MAX_CHANGED, Map.of("level", "info"));
      assertThat(refused.status()).isEqualTo(409);
      assertThat(put("many.0", Map.of("level", "warn")))
          .isInstanceOf(ManagementServer.Answer.Done.class);
    } finally {
      for (int i = 0; i < LoggerPages.MAX_CHANGED; i++) {
        pages.remove("many." + i);
      }
      OWN.setLevel(null);
    }
  }
}
