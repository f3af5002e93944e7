namespace Myna.Jit.Engine;

/// <summary>How the host's processor gets the arithmetic flags of x86 from what an operation left in the lazy slots A, B and R.</summary>
public enum FlagSource : byte
{
    /// <summary>It does not: <see cref="GuestCpu.ComputeFlags"/>.</summary>
    Callback,
    /// <summary>R has them.</summary>
    Result,
    /// <summary>ZF, SF and PF of R, the others 0.</summary>
    Test,
    /// <summary>R = A + addend.</summary>
    Add,
    /// <summary>A - B.</summary>
    Subtract,
    /// <summary>R = A - B, A being unspecified.</summary>
    Difference,
    /// <summary>R = A + B + carry.</summary>
    AddCarry,
    /// <summary>R = A - B - borrow.</summary>
    SubtractBorrow,
    /// <summary>R = operand + 1; B is CF.</summary>
    Increment,
    /// <summary>R = operand - 1; B is CF.</summary>
    Decrement,
    /// <summary>As Test, with CF and OF set unless B is 0.</summary>
    Product,
    /// <summary>ZF, SF and PF of R, CF and OF of B, AF of A, where RFLAGS has them.</summary>
    Parts,
}

/// <summary>A guest whose arithmetic flags are x86's and kept as operands of the operation that set them.</summary>
/// <param name="Op">Offset in the guest's register structure of the operation: its kind times 4 plus the width (<see cref="Operations.MemSize"/>).</param>
/// <param name="A">Offset of the slot; <paramref name="B"/> and <paramref name="R"/> too.</param>
/// <param name="B">See <paramref name="A"/>.</param>
/// <param name="R">See <paramref name="A"/>.</param>
/// <param name="Sources">By kind; what lies beyond is <see cref="FlagSource.Callback"/>.</param>
public sealed record LazyFlagSlots(int Op, int A, int B, int R, FlagSource[] Sources);
