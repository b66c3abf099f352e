/// Completion of the command line in shells.
@NullMarked
package dev.penstock.testkit.completion;

import org.jspecify.annotations.NullMarked;
