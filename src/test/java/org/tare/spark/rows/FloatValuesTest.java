package org.tare.spark.rows;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.math.BigDecimal;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.apache.spark.sql.catalyst.util.GenericArrayData;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.Decimal;
import org.junit.jupiter.api.Test;
import org.tare.TareException;
import scala.jdk.javaapi.CollectionConverters;

class FloatValuesTest {
  private static final DataType DECIMAL = DataTypes.createDecimalType(38, 9);

  private static FloatValues reader(DataType type) {
    return FloatValues.of(type, "Cannot observe column \"x\"").orElseThrow();
  }

  /** Each type with values in it, as a Row holds them. */
  private static final Object[][] CASES = {
    {DataTypes.FloatType, 0f, -0f, Float.NaN, Float.NEGATIVE_INFINITY, Float.MIN_VALUE},
    {DataTypes.DoubleType, 1e39, -1e39, 0.1, 1e-50, Double.NaN, -0.0},
    {DataTypes.ByteType, (byte) -128, (byte) 127},
    {DataTypes.ShortType, (short) -32768, (short) 32767},
    {DataTypes.IntegerType, Integer.MIN_VALUE, 16_777_217},
    {DataTypes.LongType, Long.MIN_VALUE, Long.MAX_VALUE, 0L},
    {DECIMAL, new BigDecimal("0.1"), new BigDecimal("-16777217"), new BigDecimal("1E+20")}
  };

  @Test
  void rowsAndCatalystGiveTheSameValues() {
    for (Object[] one : CASES) {
      DataType type = (DataType) one[0];
      Object[] external = Arrays.copyOfRange(one, 1, one.length + 1); // a null at the end
      Object[] internal = external.clone();
      float[] expected = new float[external.length];
      for (int i = 0; i < external.length; i++) {
        if (external[i] instanceof BigDecimal decimal) {
          internal[i] = Decimal.apply(decimal);
        }
        expected[i] = external[i] == null ? Float.NaN : ((Number) external[i]).floatValue();
        if (external[i] != null) {
          assertEquals(expected[i], reader(type).number(external[i]), type + " " + external[i]);
          assertEquals(expected[i], reader(type).number(internal[i]), type + " " + internal[i]);
        }
      }
      FloatValues array = reader(DataTypes.createArrayType(type));
      Object list = CollectionConverters.asScala(Arrays.asList(external)).toSeq();
      assertBits(expected, array.values(list), type + " in a row");
      assertBits(expected, array.values(new GenericArrayData(internal)), type + " in Catalyst");
    }
  }

  private static void assertBits(float[] expected, float[] found, String what) {
    int[] bits = new int[found.length];
    int[] expectedBits = new int[expected.length];
    for (int i = 0; i < found.length; i++) {
      bits[i] = Float.floatToIntBits(found[i]);
      expectedBits[i] = Float.floatToIntBits(expected[i]);
    }
    assertArrayEquals(expectedBits, bits, what);
  }

  @Test
  void decimalsBecomeTheNearestFloat() {
    Random random = new Random(7);
    for (int i = 0; i < 1000; i++) {
      BigDecimal decimal = BigDecimal.valueOf(random.nextLong(), random.nextInt(19));
      float expected = Float.parseFloat(decimal.toString());
      assertEquals(expected, reader(DECIMAL).number(decimal), decimal.toString());
      assertEquals(expected, reader(DECIMAL).number(Decimal.apply(decimal)), decimal.toString());
    }
  }

  @Test
  void bytesAreLittleEndianFloats() {
    FloatValues bytes = reader(DataTypes.BinaryType);
    assertFalse(bytes.isScalar());
    assertArrayEquals(new float[] {1f}, bytes.values(new byte[] {0, 0, (byte) 0x80, 0x3f}));
    assertArrayEquals(new float[0], bytes.values(new byte[0]));
    TareException e = assertThrows(TareException.class, () -> bytes.values(new byte[6]));
    assertEquals(
        "Cannot observe column \"x\": it holds 6 bytes, no multiple of the 4 of a float32",
        e.getMessage());
  }

  @Test
  void onlyNumbersAreRead() {
    assertTrue(reader(DataTypes.LongType).isScalar());
    assertFalse(reader(DataTypes.createArrayType(DataTypes.LongType)).isScalar());
    for (DataType type :
        List.of(
            DataTypes.StringType,
            DataTypes.BooleanType,
            DataTypes.DateType,
            DataTypes.NullType,
            DataTypes.createArrayType(DataTypes.StringType),
            DataTypes.createArrayType(DataTypes.createArrayType(DataTypes.FloatType)))) {
      assertTrue(FloatValues.of(type, "").isEmpty(), type.simpleString());
    }
  }
}
