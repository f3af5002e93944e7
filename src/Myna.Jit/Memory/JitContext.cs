using System.Runtime.InteropServices;

namespace Myna.Jit.Memory;

/// <summary>
/// What generated code and the engine share about one virtual CPU, at the start of its <see cref="CpuBlock"/>. The
/// interpreter uses the same fields, so that engines can change between two instructions.
/// </summary>
[StructLayout(LayoutKind.Explicit, Size = Size)]
public struct JitContext
{
    /// <summary>Bytes reserved for this structure; the guest's register structure follows.</summary>
    public const int Size = 1024;

    /// <summary>
    /// Not zero: leave at the next block entry. Any thread sets bits, the CPU's thread clears them, with
    /// <see cref="Interlocked"/>. <see cref="EngineRequest"/> is the engine's, the others are the CPU's.
    /// </summary>
    [FieldOffset(0)] public int ExitRequest;

    public const int EngineRequest = 1 << 30;

    /// <summary>What a jump cache entry must carry to be valid now: generation and block flags.</summary>
    [FieldOffset(4)] internal uint JumpTag;

    /// <summary>The guest's pc: of the instruction being executed inside callbacks, of the next one outside.</summary>
    [FieldOffset(8)] public ulong Pc;

    /// <summary>Guest instructions retired; kept by the interpreter always, by generated code when the engine counts.</summary>
    [FieldOffset(16)] public ulong InstructionCount;

    /// <summary>
    /// Host MXCSR while guest code runs: bits 13-14 the rounding direction (0 nearest, 1 down, 2 up, 3 toward zero), bits
    /// 0-5 accrued flags (invalid, denormal, divide by zero, overflow, underflow, inexact). Exact inside callbacks.
    /// </summary>
    [FieldOffset(24)] public uint Mxcsr;

    /// <summary>Bytes of the reservation made by load-reserved: 4 or 8; 0 when there is none.</summary>
    [FieldOffset(28)] public int ReservedSize;

    /// <summary>Guest virtual address of the reservation.</summary>
    [FieldOffset(32)] public ulong ReservedAddress;

    /// <summary>The value that load-reserved saw, as sign-extended.</summary>
    [FieldOffset(40)] public ulong ReservedValue;

    // Arguments and results of slow-path calls, and the registers saved around them.
    [FieldOffset(48)] internal ulong Arg0;
    [FieldOffset(56)] internal ulong Arg1;
    [FieldOffset(64)] internal ulong Result;
    /// <summary>Why generated code was left: the low byte a reason, the rest its operand.</summary>
    [FieldOffset(72)] internal ulong Exit;
    /// <summary>GCHandle of the GuestCpu.</summary>
    [FieldOffset(80)] internal nint Cpu;
    /// <summary>MXCSR for C#.</summary>
    [FieldOffset(88)] internal uint HostMxcsr;
    /// <summary>The guest register structure's address biased as generated code holds it.</summary>
    [FieldOffset(96)] internal nint Base;
    /// <summary>Guest instructions of the block that precede the one in a callback.</summary>
    [FieldOffset(104)] internal int Progress;
    /// <summary>In a memory callback: bits 0-7 MemSize, bit 8 signed, bit 9 a load for update, bits 16-23 MMU mode.</summary>
    [FieldOffset(108)] internal int Details;

    /// <summary>Address in the code cache of an instruction that faulted.</summary>
    [FieldOffset(112)] internal nint FaultRip;

    /// <summary>Address of a word that is 1 while a user program's thread is not in C# (ForkGate); without a thread of <see cref="NoState"/>.</summary>
    [FieldOffset(120)] internal nint State;
    [FieldOffset(92)] internal int NoState;

    // Constants of floating point, 16 bytes each; the offsets are repeated in the compiler.
    [FieldOffset(128)] internal Constants Constants;
    // 256 and up: registers saved around calls.
    [FieldOffset(FlagTables.ToFlags)] internal FlagTables FlagTables;

    /// <summary>Argument or result of a 16-byte access, low half first.</summary>
    [FieldOffset(VectorArgument)] internal ulong Vector0;
    [FieldOffset(VectorArgument + 8)] internal ulong Vector1;

    internal const int VectorArgument = 752;
}
