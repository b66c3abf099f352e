package dev.penstock.gateway.leases.sharded;

import com.fasterxml.jackson.annotation.JsonSubTypes;
import com.fasterxml.jackson.annotation.JsonTypeInfo;
import java.util.List;

/// What a block tells those who follow its table. The revision of a table is the number of the last
/// event in it, so that whoever lags behind, a follower or an owner of before, is known to.
@JsonTypeInfo(use = JsonTypeInfo.Id.NAME, property = "t")
@JsonSubTypes({
  @JsonSubTypes.Type(value = TableUpdate.Delta.class, name = "delta"),
  @JsonSubTypes.Type(value = TableUpdate.Page.class, name = "page")
})
sealed interface TableUpdate extends Wire {
  BlockId block();

  /// What changed from one revision to the next. The same revision twice says that nothing has.
  record Delta(BlockId block, long base, long revision, List<BlockEvent.Line> lines)
      implements TableUpdate {
    public Delta {
      lines = List.copyOf(lines);
    }
  }

  /// A part of the whole table.
  ///
  /// @param part from 0
  /// @param parts how many there are, at least 1
  record Page(BlockId block, long revision, int part, int parts, List<BlockEvent.Held> tunnels)
      implements TableUpdate {
    public Page {
      tunnels = List.copyOf(tunnels);
    }
  }
}
