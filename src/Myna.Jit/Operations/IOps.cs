namespace Myna.Jit.Operations;

/// <summary>Width of a memory access.</summary>
public enum MemSize { B1 = 0, B2 = 1, B4 = 2, B8 = 3 }

/// <summary>Comparison of two 64-bit integers; S signed, U unsigned.</summary>
public enum Cond { Eq, Ne, LtS, GeS, LtU, GeU }

/// <summary>Read-modify-write operation; the signed ones compare at the access's width.</summary>
public enum AtomicOp { Swap, Add, And, Or, Xor, MinS, MaxS, MinU, MaxU }

/// <summary>IEEE 754 binary interchange format.</summary>
public enum FloatSize { F32, F64 }

/// <summary>Rounding direction of one floating-point operation.</summary>
public enum Rounding { NearestEven, TowardZero, Down, Up, NearestMaxMagnitude, Dynamic }

/// <summary>Quiet: only signalling NaNs raise invalid. Signalling: every NaN does (less, less-or-equal in IEEE 754).</summary>
public enum FloatCompare { EqQuiet, LtSignalling, LeSignalling, LtQuiet, LeQuiet }

/// <summary>Integer formats of conversions.</summary>
public enum IntFormat { S32, U32, S64, U64 }

/// <summary>
/// The operations that instruction semantics are written in. Instantiated with plain integers they execute (the
/// interpreter); instantiated with IR values they build a block (the translator). Integer values are 64 bits wide and all
/// operations on them total. Guest registers are named by slot: the byte offset in the guest's register structure.
/// A method that returns bool answers false when the guest faulted: the semantics then return at once, having changed
/// nothing; the translator always answers true, because there the fault leaves the block.
/// </summary>
/// <typeparam name="T">A value: an integer, or a name in the IR. Floating-point values are held as raw bits.</typeparam>
public interface IOps<T> where T : struct
{
    /// <summary>Guest address of the instruction being executed or translated.</summary>
    ulong Pc { get; }

    T Const(ulong value);

    // Guest registers.
    T Get(int slot);
    void Set(int slot, T value);
    /// <summary>A floating-point register's 64 bits.</summary>
    T GetFloat(int slot);
    void SetFloat(int slot, T value);

    // Integer arithmetic, modulo 2^64.
    T Add(T a, T b);
    T Sub(T a, T b);
    T Mul(T a, T b);
    /// <summary>Upper 64 bits of the signed, unsigned, or signed-by-unsigned product.</summary>
    T MulHighS(T a, T b);
    T MulHighU(T a, T b);
    T MulHighSU(T a, T b);
    /// <summary>Quotient rounded toward zero; x/0 = all ones; -2^63/-1 = -2^63 (RISC-V M, table "semantics for division by zero and overflow").</summary>
    T DivS(T a, T b);
    /// <summary>x/0 = all ones.</summary>
    T DivU(T a, T b);
    /// <summary>x%0 = x; -2^63%-1 = 0.</summary>
    T RemS(T a, T b);
    /// <summary>x%0 = x.</summary>
    T RemU(T a, T b);
    T And(T a, T b);
    T Or(T a, T b);
    T Xor(T a, T b);
    T Not(T a);
    /// <summary>Shifts and rotations take the count modulo 64.</summary>
    T Shl(T a, T count);
    T ShrU(T a, T count);
    T ShrS(T a, T count);
    T RotateRight(T a, T count);
    /// <summary>Rotation of the low 32 bits by count modulo 32; the result is zero-extended.</summary>
    T RotateRight32(T a, T count);
    /// <summary>The low 8, 16 or 32 bits, extended.</summary>
    T SignExtend(T a, MemSize from);
    T ZeroExtend(T a, MemSize from);
    /// <summary>1 when the comparison holds, else 0.</summary>
    T Set(Cond cond, T a, T b);
    /// <summary>The comparison decides between two values.</summary>
    T Select(Cond cond, T a, T b, T whenTrue, T whenFalse);
    /// <summary>Leading zeros of 64 bits; 64 for zero.</summary>
    T CountLeadingZeros(T a);
    /// <summary>Trailing zeros of 64 bits; 64 for zero.</summary>
    T CountTrailingZeros(T a);
    T PopCount(T a);
    T ByteSwap(T a);
    /// <summary>Each byte becomes 0xFF unless it is zero (RISC-V orc.b).</summary>
    T OrCombineBytes(T a);
    /// <summary>Carry-less product: low and high 64 bits of the 127-bit result.</summary>
    T ClMul(T a, T b);
    T ClMulHigh(T a, T b);

    // Memory: guest virtual addresses, little-endian. Misaligned plain accesses work; misaligned atomics fault.
    bool Load(T address, MemSize size, bool signed, out T value);
    bool Store(T address, MemSize size, T value);
    /// <summary>A float load or store: F32 loads give the low 32 bits, upper bits zero.</summary>
    bool LoadFloat(T address, FloatSize size, out T value);
    bool StoreFloat(T address, FloatSize size, T value);
    /// <summary>Atomic read-modify-write, sequentially consistent; <paramref name="old"/> is sign-extended.</summary>
    bool Atomic(AtomicOp op, T address, MemSize size, T operand, out T old);
    bool LoadReserved(T address, MemSize size, out T value);
    /// <summary><paramref name="failed"/> is 0 when the store happened, else 1.</summary>
    bool StoreConditional(T address, MemSize size, T value, out T failed);
    /// <summary>Orders earlier accesses before later ones. <paramref name="storeLoad"/>: also stores before loads.</summary>
    void Fence(bool storeLoad);

    // Control. An instruction calls at most one of these, last; without one, execution goes on behind it.
    void Jump(ulong target);
    void JumpIndirect(T target);
    /// <summary>Goes to <paramref name="target"/> when the comparison holds, else on behind the instruction.</summary>
    void Branch(Cond cond, T a, T b, ulong target);

    // Floating point. Values are raw bits; an F32 value has its 32 bits in the low half, upper half zero. Every NaN result
    // of arithmetic is the canonical quiet NaN; flags accrue in the guest's status as IEEE 754 defines, tininess detected
    // after rounding.
    /// <summary>The F32 in a 64-bit register: the canonical NaN unless the upper half is all ones (NaN boxing).</summary>
    T UnboxF32(T register);
    /// <summary>Sets the upper half to all ones.</summary>
    T BoxF32(T value);
    /// <summary>Moves between the integer and the floating-point world without conversion.</summary>
    T FloatToBits(T value, FloatSize size);
    T BitsToFloat(T bits, FloatSize size);
    T FAdd(FloatSize size, T a, T b, Rounding rounding);
    T FSub(FloatSize size, T a, T b, Rounding rounding);
    T FMul(FloatSize size, T a, T b, Rounding rounding);
    T FDiv(FloatSize size, T a, T b, Rounding rounding);
    T FSqrt(FloatSize size, T a, Rounding rounding);
    /// <summary>±(a×b) ± c with one rounding.</summary>
    T FMulAdd(FloatSize size, T a, T b, T c, bool negateProduct, bool negateAddend, Rounding rounding);
    /// <summary>IEEE 754-2019 minimumNumber and maximumNumber; -0 is less than +0.</summary>
    T FMin(FloatSize size, T a, T b);
    T FMax(FloatSize size, T a, T b);
    /// <summary>1 when the comparison holds, else 0; NaN compares false.</summary>
    T FCompare(FloatSize size, FloatCompare compare, T a, T b);
    /// <summary>The magnitude of <paramref name="a"/> with the sign of b, of not b, or of a xor b. Raises nothing.</summary>
    T FSignCopy(FloatSize size, T a, T b);
    T FSignNot(FloatSize size, T a, T b);
    T FSignXor(FloatSize size, T a, T b);
    /// <summary>The RISC-V fclass mask: ten bits, one set.</summary>
    T FClass(FloatSize size, T a);
    /// <summary>Saturates; NaN gives the largest value; 32-bit results are sign-extended, also U32 (RISC-V F, table "domains of float-to-integer conversions").</summary>
    T FToInt(FloatSize size, IntFormat to, T a, Rounding rounding);
    T FFromInt(FloatSize size, IntFormat from, T a, Rounding rounding);
    T FConvert(FloatSize from, FloatSize to, T a, Rounding rounding);
}
