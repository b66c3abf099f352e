/// `penstock doctor` for both kinds of file.
@NullMarked
package dev.penstock.testkit.doctor;

import org.jspecify.annotations.NullMarked;
