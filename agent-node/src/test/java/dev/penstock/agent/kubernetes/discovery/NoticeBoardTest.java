package dev.penstock.agent.kubernetes.discovery;

import static org.assertj.core.api.Assertions.assertThat;

import dev.penstock.agent.kubernetes.objects.Kind;
import dev.penstock.agent.kubernetes.objects.ObjectRef;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class NoticeBoardTest {
  private final NoticeBoard board = new NoticeBoard();

  @Test
  void whatHoldsIsSaidOnce() {
    assertThat(board.toSay(List.of(notice("a")), 10)).containsExactly(notice("a"));
    assertThat(board.toSay(List.of(notice("a")), 10)).isEmpty();
  }

  @Test
  void whatHoldsAgainIsSaidAgain() {
    board.toSay(List.of(notice("a")), 10);
    board.toSay(List.of(), 10);

    assertThat(board.toSay(List.of(notice("a")), 10)).containsExactly(notice("a"));
  }

  @Test
  void whatIsTooMuchForOneTurnFollowsAtTheNext() {
    var holding = new ArrayList<Notice>();
    for (int i = 0; i < 25; i++) {
      holding.add(notice("n" + i));
    }

    var said = new ArrayList<Notice>();
    for (int turn = 0; turn < 3; turn++) {
      List<Notice> now = board.toSay(holding, 10);
      assertThat(now).hasSizeLessThanOrEqualTo(10);
      said.addAll(now);
    }

    assertThat(said).containsExactlyElementsOf(holding);
  }

  @Test
  void aNoticeThatIsThereTwiceIsSaidOnce() {
    assertThat(board.toSay(List.of(notice("a"), notice("a")), 10)).hasSize(1);
  }

  @Test
  void theKeyOfANoticeIsThatOfEveryAgent() {
    assertThat(notice("a").key()).isEqualTo(notice("a").key()).matches("[0-9a-f]{16}");
    assertThat(notice("a").key()).isNotEqualTo(notice("b").key());
  }

  @Test
  void aMessageIsAsLongAsTheApiTakes() {
    assertThat(notice("x".repeat(5000)).message()).hasSize(Notice.MAX_MESSAGE);
  }

  private static Notice notice(String message) {
    return new Notice(
        new ObjectRef(Kind.GATEWAY, "default", "db"), "uid", Notice.Level.WARNING, "R", message);
  }
}
