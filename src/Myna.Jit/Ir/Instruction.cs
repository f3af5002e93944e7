using Myna.Jit.Operations;

namespace Myna.Jit.Ir;

/// <summary>Operations of the IR. Names follow <see cref="Operations.IOps{T}"/>.</summary>
internal enum Op : byte
{
    Nop,
    // Integer values.
    Const, Get,
    Add, Sub, Mul, MulHighS, MulHighU, MulHighSU, DivS, DivU, RemS, RemU,
    And, Or, Xor, Not, Shl, ShrU, ShrS,
    // Made by the builder: a + (b << Aux), and the logical shift of the low 32 bits.
    AddShifted, ShrU32,
    RotateRight, RotateRight32, SignExtend, ZeroExtend,
    // Made by the builder: the low 8 or 16 bits, or bits 15:8, of A replaced by B's low ones.
    Insert,
    Field, Deposit, Extract, Crc32,
    // Of the double-width A:B by C.
    Divide,
    // The unsigned product; its upper half is the second result.
    MulWide,
    // A plus or minus B and a carry, which is that of the comparison C < D of Size's width, without D bit 0 of C; the carry out is the second result.
    AddCarry,
    // The second result of the instruction before.
    Second,
    SetCond, Select, CountLeadingZeros, CountTrailingZeros, PopCount, ByteSwap, OrCombineBytes, ClMul, ClMulHigh,
    Load, Atomic, LockedUpdate, LockedCompareExchange, LockedCompareExchange16, LoadReserved, StoreConditional,
    FloatToBits, FCompare, FToInt, ReadFlags, ComputeFlags, ReadMxcsr, VectorToInteger, VectorCompare,
    // Of a routine at the address in Imm, with the argument A.
    CallRoutine,
    // Floating-point values.
    GetFloat, LoadFloat, BitsToFloat, UnboxF32, BoxF32,
    FAdd, FSub, FMul, FDiv, FSqrt, FMulAdd, FMin, FMax, FSignCopy, FSignNot, FSignXor, FFromInt, FConvert,
    // Vectors of 128 bits.
    GetVector, ZeroVector, Vector, InsertInteger, LoadVector,
    // No value.
    Set, SetFloat, SetVector, Store, StoreFloat, StoreVector, ZeroLine, Fence, WriteFlags, WriteMxcsr, SetField,
    // A is the fifth operand of the next instruction.
    Argument,
    // Leaves the block unless instructions at the page in Imm come from where A, the addend of the soft-TLB, says.
    CheckFetch,
    Branch, BranchVector, Guard, Interpret,
    // Ends of a block.
    Jump, JumpIndirect, Leave,
}

/// <summary>
/// One instruction of the IR; its index is the name of its value. Operands are indices of earlier instructions, -1 when
/// absent. <see cref="Imm"/> is the constant, slot, or target, or a VectorOp with its imm8 in bits 39:32; <see cref="Size"/> and <see cref="Aux"/> depend on the operation.
/// </summary>
internal struct Instruction
{
    public Op Op;
    /// <summary>MemSize, of comparisons their width; FloatSize; of vector accesses the logarithm of the bytes.</summary>
    public byte Size;
    /// <summary>Cond, AtomicOp, FloatCompare, IntFormat, signedness; for FMulAdd bit 0 negates the product, bit 1 the addend.</summary>
    public byte Aux;
    /// <summary>Rounding, the MMU mode of a memory access, or <see cref="Narrow"/>.</summary>
    public byte Mode;
    public int A, B, C, D;
    public ulong Imm;
    /// <summary>Index of the guest instruction in the block.</summary>
    public int Guest;
    /// <summary>The last instruction that has this value as an operand; -1 when none.</summary>
    public int LastUse;
    /// <summary>The next instruction that uses this value, as of where the emitter stands; <see cref="Never"/> when none.</summary>
    public int NextUse;
    /// <summary>The instruction that uses operand A, B, C, D next after this one.</summary>
    public int NextA, NextB, NextC, NextD;
    public const int Never = int.MaxValue;

    /// <summary>Slot of a pinned guest register that gets this value with nothing in between that looks at it; -1 when none.</summary>
    public int Hint;

    /// <summary>In Aux of a Load: a store to the same place follows; bit 0 is signedness.</summary>
    public const int ForUpdate = 2;

    /// <summary>In Mode of integer arithmetic: of the low 32 bits, the result zero-extended.</summary>
    public const int Narrow = 1;

    /// <summary>In Aux of an AddCarry: a subtraction with borrow.</summary>
    public const int Subtract = 1;

    /// <summary>In Aux of a load or store of 16 bytes: a misaligned one is left to the interpreter.</summary>
    public const int Aligned = 2;

    /// <summary>In Aux of a load of 16 bytes: they are the lower half of 32.</summary>
    public const int Pair = 4;

    /// <summary>In Aux of an FCompare: a NaN is left to the interpreter, so that the comparison raises no flag.</summary>
    public const int CheckNaN = 0x80;

    /// <summary>The value lives in a vector register of the host.</summary>
    public readonly bool IsFloat => Op is >= Op.GetFloat and <= Op.LoadVector;
    /// <summary>All 128 bits of it count, otherwise the low 64.</summary>
    public readonly bool IsVector => Op is >= Op.GetVector and <= Op.LoadVector;
    public readonly bool IsPure => Op is (>= Op.Const and <= Op.ClMulHigh) or Op.FloatToBits or Op.ReadFlags or Op.ComputeFlags or Op.GetFloat or Op.GetVector
        or Op.BitsToFloat or Op.UnboxF32 or Op.BoxF32 or (>= Op.FSignCopy and <= Op.FSignXor) or Op.ZeroVector
        || (Op is Op.Vector or Op.InsertInteger or Op.VectorToInteger or Op.VectorCompare && !((VectorOp)(uint)Imm).IsFloat());
    /// <summary>May leave the block in its middle, with the state as before the guest instruction.</summary>
    public readonly bool MayExit => Op is (>= Op.Load and <= Op.StoreConditional) or Op.LoadFloat or Op.LoadVector or Op.FToInt
        or Op.FMulAdd or Op.FMin or Op.FMax or Op.FFromInt or (>= Op.Store and <= Op.ZeroLine) or (>= Op.CheckFetch and <= Op.Leave)
        || (Op == Op.FCompare && (Aux & CheckNaN) != 0);
}

/// <summary>A value of the IR: the index of the instruction that makes it.</summary>
public readonly struct Value
{
    internal readonly int Id;
    internal Value(int id) => Id = id;
}
