using System.Buffers.Binary;
using Myna.Host.User;

namespace Myna.Linux.Threads;

/// <summary>
/// vfork's one trace in its parent: a child that could not execve says so in the parent's memory (posix_spawn does, in the
/// frame of its caller) and ends. As the child here has a copy of the memory, it hands over what changed in it above the
/// parent's stack pointer: pairs of an address and eight bytes, through the pipe that the parent waits on.
/// LIMIT: other stores of such a child are lost.
/// </summary>
public sealed partial class GuestThread
{
    private const int SharedStack = 16 << 10, PairSize = 16, PairsAtOnce = 128;
    private const long Write = 1;

    private byte[] _stackBefore = [];
    private ulong _stackStart;

    /// <summary>Remembers the parent's frames as they are at the fork.</summary>
    private void RememberStack()
    {
        _stackStart = Cpu.StackPointer & ~7UL;
        byte[] stack = new byte[SharedStack];
        // Fewer bytes than asked for at the stack's end.
        int count = SafeMemory.Read(_stackStart, stack) & ~7;
        _stackBefore = stack[..count];
    }

    /// <summary>The process ends: a child of vfork tells its parent. Nothing for others.</summary>
    internal void TellParent()
    {
        if (_vforkDescriptor < 0 || _stackBefore.Length == 0)
            return;
        byte[] now = new byte[_stackBefore.Length];
        int count = SafeMemory.Read(_stackStart, now) & ~7;
        using var scratch = new Host.HostScratch(PairsAtOnce * PairSize + 64);
        Span<byte> pairs = scratch.Take(PairsAtOnce * PairSize, out long address);
        int used = 0;
        for (int at = 0; at < count; at += 8)
        {
            if (now.AsSpan(at, 8).SequenceEqual(_stackBefore.AsSpan(at, 8)))
                continue;
            BinaryPrimitives.WriteUInt64LittleEndian(pairs[used..], _stackStart + (ulong)at);
            now.AsSpan(at, 8).CopyTo(pairs[(used + 8)..]);
            used += PairSize;
            if (used == pairs.Length)
            {
                _ = HostCalls.Plain(Write, _vforkDescriptor, address, used);
                used = 0;
            }
        }
        if (used > 0)
            _ = HostCalls.Plain(Write, _vforkDescriptor, address, used);
    }

    /// <summary>Waits for the child's execve or end, when the last copy of the pipe's other end is closed.</summary>
    private void WaitForEnd(int descriptor)
    {
        using var scratch = new Host.HostScratch(PairsAtOnce * PairSize + 64);
        Span<byte> pairs = scratch.Take(PairsAtOnce * PairSize, out long address);
        int have = 0;
        while (true)
        {
            // All signals are blocked.
            long count = HostCalls.Interruptible(Read, descriptor, address + have, pairs.Length - have);
            if (count == -Errno.EINTR)
                continue;
            if (count <= 0)
                break;
            have += (int)count;
            int whole = have / PairSize * PairSize;
            for (int at = 0; at < whole; at += PairSize)
                SafeMemory.TryStore(BinaryPrimitives.ReadUInt64LittleEndian(pairs[at..]), 3, BinaryPrimitives.ReadUInt64LittleEndian(pairs[(at + 8)..]));
            pairs[whole..have].CopyTo(pairs);
            have -= whole;
        }
    }
}
