using Myna.Jit.Operations;

namespace Myna.Cpu.X86.Instructions;

/// <summary>Exceptions and other vectors of the architecture (Intel SDM volume 3, table 7-1).</summary>
public enum Vector : byte
{
    DE = 0, DB = 1, NMI = 2, BP = 3, OF = 4, BR = 5, UD = 6, NM = 7, DF = 8, TS = 10, NP = 11, SS = 12, GP = 13, PF = 14, MF = 16, AC = 17, MC = 18, XM = 19, VE = 20, CP = 21,
}

/// <summary>
/// The operations x86 semantics need beyond <see cref="IOps{T}"/>. <see cref="IOps{T}.Pc"/> is the instruction's linear address
/// (CS base + EIP). Methods that return bool answer false when the guest faulted: the semantics then return at once,
/// having changed nothing. What a translator cannot say in IR it leaves to the interpreter for the one instruction.
/// </summary>
public interface IX86Ops<T, V> : IOps<T>, IVectorOps<T, V> where T : struct where V : struct
{
    /// <summary>What is known about the CPU's mode: true for all executions of this translation.</summary>
    BlockFlags Mode { get; }

    /// <summary>
    /// Whether a value is known now: always in the interpreter, constants in the translator. Semantics may look at known
    /// values with C# control flow.
    /// </summary>
    bool TryConst(T value, out ulong constant);

    /// <summary>A field of <see cref="X86Registers"/> (8 bytes) that is not a slot.</summary>
    T Field(int offset);

    // Comparisons of the low 8, 16, 32 or 64 bits.
    T Set(Cond cond, MemSize width, T a, T b);
    T Select(Cond cond, MemSize width, T a, T b, T whenTrue, T whenFalse);

    /// <summary>
    /// The arithmetic flags (bits CF 0, PF 2, AF 4, ZF 6, SF 7, OF 11 of RFLAGS) from the four lazy slots, when the operation
    /// in <see cref="X86Registers.FlagOp"/> is not known to the translator. The interpreter never calls it.
    /// </summary>
    T ComputeFlags();

    /// <summary>
    /// Linear address of an access through a segment: base added, limit and rights checked (#GP, #SS) where the mode asks for it.
    /// </summary>
    /// <param name="offset">Already reduced to the address size.</param>
    /// <param name="bytes">Length of the access, 0 for none (no check).</param>
    bool Linear(SegmentRegister segment, T offset, int bytes, bool write, out T linear);

    /// <summary>
    /// An atomic read-modify-write under LOCK (or XCHG), at any alignment; <paramref name="old"/> is zero-extended. x86's memory order.
    /// </summary>
    bool LockedUpdate(AtomicOp op, T linear, MemSize size, T operand, out T old);

    /// <summary>LOCK CMPXCHG; <paramref name="old"/> is what memory held, zero-extended; the store happened when it equals <paramref name="expected"/>.</summary>
    bool LockedCompareExchange(T linear, MemSize size, T expected, T desired, out T old);

    /// <summary>
    /// CMPXCHG8B's big sister: 16 bytes at once. The address is a multiple of 16 (checked by the semantics). The store happened when
    /// both halves of old equal the expected ones.
    /// </summary>
    bool LockedCompareExchange16(T linear, T expectedLow, T expectedHigh, T desiredLow, T desiredHigh, out T oldLow, out T oldHigh);

    /// <summary>A load of what this instruction stores afterwards: a page fault of it is a write's. Zero-extended.</summary>
    bool LoadForUpdate(T linear, MemSize size, out T value);

    /// <summary>
    /// Divides the double-width number high:low (of the low bits of each, for B1 AH:AL) by the divisor's low bits. #DE and false when
    /// the divisor is 0 or the quotient does not fit. Upper bits of the results are unspecified.
    /// </summary>
    bool Divide(MemSize width, bool signed, T high, T low, T divisor, out T quotient, out T remainder);

    /// <summary>The unsigned product of 128 bits.</summary>
    void MultiplyWide(T a, T b, out T low, out T high);

    /// <summary>a + b + carry, or a - b - carry; the carry is 0 or 1. Bits above the width, at least B4, are unspecified.</summary>
    T AddCarry(MemSize width, bool subtract, T a, T b, T carry);

    /// <summary>The carry out, 0 or 1, of the <see cref="AddCarry"/> that made <paramref name="sum"/>, when it is still known.</summary>
    bool TryCarryOf(T sum, out T carry);

    /// <summary>PDEP: the low bits of value, at the positions set in mask.</summary>
    T Deposit(T value, T mask);

    /// <summary>PEXT: the bits of value at the positions set in mask, packed at the low end.</summary>
    T Extract(T value, T mask);

    /// <summary>CRC-32C (reflected polynomial 0x82F63B78, no inversions) of a value's bytes; zero-extended.</summary>
    T Crc32(T crc, T value, MemSize size);

    /// <summary>Raises an exception at this instruction. Ends the semantics.</summary>
    void Raise(Vector vector, uint error = 0);

    /// <summary>Raises an exception when the comparison holds; false: it did (never in the translator).</summary>
    bool RaiseIf(Cond cond, T a, T b, Vector vector);

    /// <summary>Raises #UD or #NM for an SSE (or AVX) instruction while <see cref="Mode"/> says that they do not execute. Ends the semantics.</summary>
    void RaiseVectorUnavailable(bool avx);

    /// <summary>A load of one element by a masked move: never checked for alignment. Zero-extended.</summary>
    bool LoadElement(T linear, MemSize size, out T value);

    /// <inheritdoc cref="LoadElement"/>
    bool StoreElement(T linear, MemSize size, T value);

    /// <summary>
    /// A load of one element by a gather: never checked for alignment, zero-extended. Faults of one <paramref name="behind"/> others give way to a
    /// debug trap that is due since those.
    /// </summary>
    bool Gather(SegmentRegister segment, T offset, MemSize size, bool behind, out T value);

    /// <summary>MXCSR.</summary>
    T GetMxcsr();

    /// <summary>Sets MXCSR; #GP and false when a reserved bit is set. Execution goes on behind the instruction, perhaps in another mode (<see cref="BlockFlags.SimdMasked"/>).</summary>
    bool SetMxcsr(T value);

    /// <summary>Leaves the instruction to the interpreter: the translator cannot say it (the interpreter never gets here for a known mode).</summary>
    void Unsupported();

    /// <summary>
    /// Whether a near jump to this instruction pointer is allowed: inside CS's limit, canonical; otherwise #GP(0) and false. Called before
    /// the first change when a jump follows; the jumps below do not check.
    /// </summary>
    /// <param name="pushes">For a CALL: when its push would fault as well, that fault comes first, as on AMD's processors.</param>
    bool CheckNear(T ip, MemSize operandSize, bool pushes = false);

    /// <summary>A near jump to an instruction pointer (not a linear address), reduced to <paramref name="operandSize"/> bits.</summary>
    void JumpNear(T ip, MemSize operandSize);

    /// <summary>A relative near jump of this instruction; <paramref name="insn"/>.Immediate is the distance.</summary>
    void JumpRelative(in Insn insn);

    /// <summary>As <see cref="JumpRelative"/> when the comparison (of the low bits) holds; otherwise on behind the instruction.</summary>
    void BranchRelative(in Insn insn, Cond cond, MemSize width, T a, T b);

    /// <summary>
    /// Whether the comparison holds, and with it the instruction ends here: the semantics return. In the translator that case leaves for
    /// the next instruction, and the answer is false.
    /// </summary>
    bool EndIf(in Insn insn, Cond cond, MemSize width, T a, T b);

    /// <summary>Instruction pointer (EIP, not linear) of the next instruction.</summary>
    T NextIp(in Insn insn);

    /// <summary>
    /// One iteration of a repeated string instruction is done and another follows: goes on at this same instruction, after
    /// looking for interrupts.
    /// </summary>
    void Repeat();

    /// <summary>CLD and STD when they change the flag. Execution goes on behind the instruction, in another mode (<see cref="BlockFlags.Backward"/>).</summary>
    void SetDirection(bool backward);

    /// <summary>A system instruction, executed by <see cref="X86Cpu"/>.</summary>
    void System(in Insn insn);
}
