/// What the commands of `penstock` share.
@NullMarked
package dev.penstock.cli;

import org.jspecify.annotations.NullMarked;
