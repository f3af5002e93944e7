using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Myna.Host;
using Myna.Jit.Operations;

namespace Myna.Jit.Memory;

/// <summary>x86's locked operations: of 1 to 16 bytes, at any alignment inside a page.</summary>
public sealed unsafe partial class SoftTlb
{
    /// <summary>An atomic read-modify-write when the page is cached as readable and writable.</summary>
    /// <param name="old">Zero-extended.</param>
    public bool TryLockedUpdate(AtomicOp op, int mode, ulong va, MemSize size, ulong operand, out ulong old)
    {
        old = 0;
        if (!TryFindLocked(mode, va, 1 << (int)size, out Entry* e, out byte* p))
            return false;
        // SAFETY: TryFindLocked found the bytes in one page of RAM; the host's LOCK prefix takes any alignment.
        ulong seen = size switch { MemSize.B1 => *p, MemSize.B2 => Unsafe.ReadUnaligned<ushort>(p), MemSize.B4 => Unsafe.ReadUnaligned<uint>(p), _ => Unsafe.ReadUnaligned<ulong>(p) };
        while ((old = Exchange(p, size, seen, Apply(op, seen, operand))) != seen)
            seen = old;
        ReportAgain(e, va, 1 << (int)size);
        return true;
    }

    /// <summary>An atomic compare-and-exchange, conditions as for <see cref="TryLockedUpdate"/>; upper bits of the operands are ignored.</summary>
    /// <param name="old">Zero-extended.</param>
    public bool TryLockedExchange(int mode, ulong va, MemSize size, ulong expected, ulong desired, out ulong old)
    {
        old = 0;
        if (!TryFindLocked(mode, va, 1 << (int)size, out Entry* e, out byte* p))
            return false;
        old = Exchange(p, size, expected, desired);
        ReportAgain(e, va, 1 << (int)size);
        return true;
    }

    // SAFETY: callers found the bytes by TryFindLocked.
    private static ulong Exchange(byte* p, MemSize size, ulong expected, ulong desired) => size switch
    {
        MemSize.B1 => Interlocked.CompareExchange(ref *p, (byte)desired, (byte)expected),
        MemSize.B2 => Interlocked.CompareExchange(ref *(ushort*)p, (ushort)desired, (ushort)expected),
        MemSize.B4 => Interlocked.CompareExchange(ref *(uint*)p, (uint)desired, (uint)expected),
        _ => Interlocked.CompareExchange(ref *(ulong*)p, desired, expected),
    };

    /// <summary>An atomic compare-and-exchange of 16 bytes at a multiple of 16.</summary>
    /// <param name="expected">Then what memory held.</param>
    public bool TryLockedExchange16(int mode, ulong va, ref UInt128 expected, UInt128 desired)
    {
        if (!TryFindLocked(mode, va, 16, out Entry* e, out byte* p))
            return false;
        UInt128 old = expected;
        if (s_exchange16 is not null)
        {
            // SAFETY: the stub below; p is aligned because va is and pages are.
            ((delegate* unmanaged<byte*, UInt128*, UInt128*, void>)s_exchange16.Address)(p, &old, &desired);
        }
        else
        {
            // LIMIT: without executable memory this is atomic only towards other such exchanges.
            lock (s_lock)
            {
                UInt128 seen = Unsafe.ReadUnaligned<UInt128>(p);
                if (seen == old)
                    Unsafe.WriteUnaligned(p, desired);
                old = seen;
            }
        }
        expected = old;
        ReportAgain(e, va, 16);
        return true;
    }

    private static readonly Lock s_lock = new();
    private static readonly ExecutableMemory? s_exchange16 = MakeExchange16();

    private static ExecutableMemory? MakeExchange16()
    {
        if (RuntimeInformation.ProcessArchitecture != Architecture.X64 || OperatingSystem.IsWindows())
            return null;
        try
        {
            var memory = new ExecutableMemory(4096);
            // System V: rdi target, rsi expected and result, rdx desired.
            ReadOnlySpan<byte> code =
            [
                0x53,                         // push rbx
                0x49, 0x89, 0xD0,             // mov r8, rdx
                0x48, 0x8B, 0x06,             // mov rax, [rsi]
                0x48, 0x8B, 0x56, 0x08,       // mov rdx, [rsi+8]
                0x49, 0x8B, 0x18,             // mov rbx, [r8]
                0x49, 0x8B, 0x48, 0x08,       // mov rcx, [r8+8]
                0xF0, 0x48, 0x0F, 0xC7, 0x0F, // lock cmpxchg16b [rdi]
                0x48, 0x89, 0x06,             // mov [rsi], rax
                0x48, 0x89, 0x56, 0x08,       // mov [rsi+8], rdx
                0x5B,                         // pop rbx
                0xC3,                         // ret
            ];
            // SAFETY: the memory is larger than the code.
            code.CopyTo(new Span<byte>((void*)memory.Address, code.Length));
            return memory;
        }
        catch (IOException)
        {
            return null;
        }
    }

    // As Writable, at any alignment.
    private bool TryFindLocked(int mode, ulong va, int bytes, out Entry* e, out byte* address)
    {
        e = _entries + Index(mode, va);
        ulong page = va & ~PageMask;
        address = (byte*)(va + e->Addend);
        return e->Read == page && IsInside(va, bytes) && (e->Write == page || Watch(e, va, bytes));
    }
}
