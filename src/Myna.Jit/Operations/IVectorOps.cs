namespace Myna.Jit.Operations;

/// <summary>
/// The operations on 128-bit vectors. Guest vector registers are named by slot as integers are; a 256-bit register is two
/// slots, and instructions on it are two operations.
/// </summary>
/// <typeparam name="T">An integer value.</typeparam>
/// <typeparam name="V">A vector: 128 bits in the interpreter, a name in the IR.</typeparam>
public interface IVectorOps<T, V> where T : struct where V : struct
{
    V GetVector(int slot);
    void SetVector(int slot, V value);

    /// <summary>All bits zero.</summary>
    V ZeroVector();

    /// <summary>Loads the low 4, 8 or all 16 bytes; the others are zero. At any alignment, unless 16 bytes have to be aligned.</summary>
    /// <param name="pair">The 16 bytes are the lower half of 32, all of which must have addresses before anything is translated.</param>
    bool LoadVector(T address, int bytes, out V value, bool aligned = false, bool pair = false);

    /// <summary>Stores the low 4, 8 or all 16 bytes. At any alignment, unless 16 bytes have to be aligned.</summary>
    bool StoreVector(T address, int bytes, V value, bool aligned = false);

    /// <summary>Makes sure that a store of so many bytes (at most 64), which may cross a page border, faults before its first byte or not at all.</summary>
    /// <param name="alignment">Power of two that the address must be a multiple of where the guest has alignment checked.</param>
    bool ProbeWrite(T address, int bytes, int alignment = 1);

    // Operations by form: Unary, ShiftImmediate, UnaryStore; Binary, Legacy; Ternary, Blend, LegacyXmm0.
    V Vector(VectorOp op, V a, byte imm = 0);
    V Vector(VectorOp op, V a, V b, byte imm = 0);
    V Vector(VectorOp op, V a, V b, V c);

    /// <summary>ToInteger and ToIntegerStore: zero-extended, unless the operation is wide.</summary>
    T VectorToInteger(VectorOp op, V a, byte imm = 0);

    /// <summary>FromInteger.</summary>
    V IntegerToVector(VectorOp op, T value);

    /// <summary>Insert: puts an integer, or what it becomes, into <paramref name="a"/>.</summary>
    V Insert(VectorOp op, V a, T value, byte imm = 0);

    /// <summary>Compare: the arithmetic flags as RFLAGS has them (ZF 6, PF 2, CF 0; OF, SF, AF are 0).</summary>
    T VectorCompare(VectorOp op, V a, V b);

    /// <summary>String: the index (of Pcmp?stri), the mask (of Pcmp?strm), and the arithmetic flags as RFLAGS has them.</summary>
    /// <remarks>The lengths are EAX and EDX (RAX and RDX with <paramref name="wide"/>) for the forms with explicit lengths.</remarks>
    void VectorString(VectorOp op, V a, V b, T lengthA, T lengthB, bool wide, byte imm, out T index, out V mask, out T flags);

    /// <summary>
    /// Ends the floating-point operations of an instruction, before it changes a register: false when one of them raised an
    /// exception that the guest has unmasked.
    /// </summary>
    bool RaiseSimd();
}
