namespace Myna.Cpu.Float;

/// <summary>The IEEE 754 exceptions an operation raised, laid out as RISC-V's fflags (F extension, "Floating-Point Control and Status Register").</summary>
[Flags]
public enum FloatFlags : uint
{
    None = 0,
    Inexact = 1,
    Underflow = 2,
    Overflow = 4,
    DivideByZero = 8,
    Invalid = 16,
}
