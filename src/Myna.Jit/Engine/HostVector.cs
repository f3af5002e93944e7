using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Myna.Host;
using Myna.Jit.Operations;
using Myna.Jit.X64;

namespace Myna.Jit.Engine;

/// <summary>
/// Operands and results of a <see cref="VectorOp"/>. An operation leaves alone what is not its result.
/// </summary>
[StructLayout(LayoutKind.Explicit, Size = 96)]
public struct VectorFrame
{
    [FieldOffset(0)] public Vector128<byte> A;
    [FieldOffset(16)] public Vector128<byte> B;
    [FieldOffset(32)] public Vector128<byte> C;
    [FieldOffset(48)] public Vector128<byte> Result;

    /// <summary>The integer operand, then result: of String operations EAX, then ECX.</summary>
    [FieldOffset(64)] public ulong Integer;

    /// <summary>Of String operations: EDX.</summary>
    [FieldOffset(72)] public ulong Length;

    /// <summary>Result of Compare and String: the arithmetic flags as RFLAGS has them.</summary>
    [FieldOffset(80)] public ulong Flags;

    /// <summary>MXCSR for the operation, with all exceptions masked, then with the flags that it set. Operations that are not floating-point ignore it.</summary>
    [FieldOffset(88)] public uint Mxcsr;

    [FieldOffset(92)] internal uint HostMxcsr;
}

/// <summary>
/// Executes vector operations by the host's own instructions, each in a stub of machine code made when it is first used, so
/// that results, NaNs and flags are those of a processor.
/// LIMIT: without executable memory or a host with AVX there are no vector instructions.
/// </summary>
public static unsafe class HostVector
{
    private const int MemorySize = 4 << 20;
    private const int LongestStub = 96;

    private static readonly Lock s_lock = new();
    // By number of the operation, then by imm8 where it has one.
    private static readonly nint[]?[] s_stubs = new nint[VectorEncoding.Count][];
    private static readonly ExecutableMemory? s_memory = Allocate();
    private static byte* s_next = s_memory is null ? null : (byte*)s_memory.Address;

    /// <summary>Whether operations can be executed. A single one also needs the host to have its instruction.</summary>
    public static bool IsSupported => s_memory is not null;

    private static ExecutableMemory? Allocate()
    {
        if (RuntimeInformation.ProcessArchitecture != Architecture.X64 || !System.Runtime.Intrinsics.X86.Avx.IsSupported)
            return null;
        try
        {
            return new ExecutableMemory(MemorySize);
        }
        catch (IOException)
        {
            return null;
        }
    }

    /// <exception cref="NotSupportedException"><see cref="IsSupported"/> is false.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Execute(VectorOp op, byte imm, ref VectorFrame frame)
    {
        nint[]? stubs = s_stubs[op.Index()];
        int index = op.HasImmediate() ? imm : 0;
        nint stub = stubs is null ? 0 : Volatile.Read(ref stubs[index]);
        if (stub == 0)
            stub = Make(op, imm);
        frame.HostMxcsr = 0x1F80;
        fixed (VectorFrame* f = &frame)
        {
            // SAFETY: a stub that Make wrote; it touches nothing but the frame and registers that the ABI lets it change.
            ((delegate* unmanaged[SuppressGCTransition]<VectorFrame*, void>)stub)(f);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static nint Make(VectorOp op, byte imm)
    {
        if (s_memory is null)
            throw new NotSupportedException("vector instructions need executable memory and a host with AVX");
        lock (s_lock)
        {
            nint[] stubs = s_stubs[op.Index()] ??= new nint[op.HasImmediate() ? 256 : 1];
            ref nint stub = ref stubs[op.HasImmediate() ? imm : 0];
            if (stub != 0)
                return stub;
            // SAFETY: the memory holds all stubs there can be: some 100 operations have an imm8, and few use all values.
            if (s_next + LongestStub > (byte*)s_memory.Address + s_memory.Size)
                throw new NotSupportedException("too many vector operations");
            var a = new Assembler();
            a.Reset(s_next, s_next + LongestStub);
            VectorStub.Write(a, op, imm);
            Volatile.Write(ref stub, (nint)s_next);
            s_next = (byte*)(((nint)a.P + 15) & ~15);
            return stub;
        }
    }
}
