using System.Buffers.Binary;
using Myna.Host;
using Myna.Linux.Memory;
using static Myna.Linux.Errno;

namespace Myna.Linux.Loading;

/// <summary>Entries of the auxiliary vector (getauxval(3), linux/auxvec.h).</summary>
internal enum AuxiliaryType : ulong
{
    Null = 0, ProgramHeaders = 3, ProgramHeaderSize = 4, ProgramHeaderCount = 5, PageSize = 6, Base = 7, Flags = 8, Entry = 9, Uid = 11, Euid = 12,
    Gid = 13, Egid = 14, Platform = 15, HardwareCapabilities = 16, ClockTick = 17, Secure = 23, Random = 25, HardwareCapabilities2 = 26,
    ExecutedFile = 31, Sysinfo = 32, SysinfoHeader = 33, MinimumSignalStack = 51,
}

/// <summary>
/// A new program's stack (System V psABI, "Process Initialization"): argc, argv, envp, auxv, and above them the bytes
/// that these point to.
/// </summary>
internal sealed class InitialStack
{
    private readonly byte[] _bytes;
    private readonly ulong _top;
    private readonly int _pointer;
    private int _used;

    /// <summary>What was made.</summary>
    /// <param name="Pointer">The stack pointer.</param>
    /// <param name="Auxiliary">The auxiliary vector's bytes.</param>
    /// <param name="Arguments">Where the strings lie.</param>
    internal readonly record struct Contents(ulong Pointer, byte[] Auxiliary, (ulong Start, ulong End) Arguments, (ulong Start, ulong End) Environment);

    private InitialStack(ulong top, int size, int pointer)
    {
        _top = top;
        _bytes = new byte[size];
        _pointer = pointer;
    }

    /// <summary>Bytes that strings and pointers take at most, for a stack of this size: execve(2), "Limits on size".</summary>
    public static ulong ArgumentLimit(ulong stack) => Math.Max(128 * 1024, Math.Min(stack / 4, 6 * 1024 * 1024));

    /// <param name="top">End of the stack's mapping.</param>
    /// <param name="room">Bytes mapped below it.</param>
    /// <param name="auxiliary">Numbers; those that need an address on the stack are added here.</param>
    /// <exception cref="LoadException">Arguments and environment are too long (E2BIG).</exception>
    public static Contents Build(
        ulong top, ulong room, Target target, IReadOnlyList<string> arguments, IReadOnlyList<string> environment, string executed,
        List<(AuxiliaryType Type, ulong Value)> auxiliary)
    {
        long size = 4096;
        foreach (string s in arguments.Concat(environment).Append(executed))
            size += s.Length + 1 + target.PointerSize;
        if ((ulong)size > ArgumentLimit(room))
            throw new LoadException($"the arguments and the environment take {size} bytes, more than a program can be given; make them shorter", E2BIG);
        var stack = new InitialStack(top, (int)size, target.PointerSize);
        // As Linux has it: eight zero bytes, the executed file's name, the environment, the arguments.
        stack._used = 8;
        ulong file = stack.PutString(executed);
        ulong environmentEnd = stack.Pointer;
        ulong[] envp = new ulong[environment.Count], argv = new ulong[arguments.Count];
        for (int i = envp.Length - 1; i >= 0; i--)
            envp[i] = stack.PutString(environment[i]);
        ulong argumentsEnd = stack.Pointer;
        for (int i = argv.Length - 1; i >= 0; i--)
            argv[i] = stack.PutString(arguments[i]);
        ulong argumentsStart = stack.Pointer;
        if (target.Platform is { } platform)
            auxiliary.Add((AuxiliaryType.Platform, stack.PutString(platform)));
        stack.Align(16);
        ulong random = stack.Put(HostRandom.Bytes(16));
        auxiliary.Add((AuxiliaryType.Random, random));
        auxiliary.Add((AuxiliaryType.ExecutedFile, file));
        auxiliary.Add((AuxiliaryType.Null, 0));

        stack.Align(16);
        int words = 1 + argv.Length + 1 + envp.Length + 1 + 2 * auxiliary.Count;
        if ((words * target.PointerSize & 15) != 0)
            stack._used += 16 - (words * target.PointerSize & 15);
        byte[] aux = new byte[2 * auxiliary.Count * target.PointerSize];
        for (int i = auxiliary.Count - 1; i >= 0; i--)
        {
            stack.PutWord(auxiliary[i].Value);
            stack.PutWord((ulong)auxiliary[i].Type);
        }
        stack.Slice(aux.Length).CopyTo(aux);
        stack.PutWord(0);
        for (int i = envp.Length - 1; i >= 0; i--)
            stack.PutWord(envp[i]);
        stack.PutWord(0);
        for (int i = argv.Length - 1; i >= 0; i--)
            stack.PutWord(argv[i]);
        stack.PutWord((ulong)argv.Length);
        if (!GuestMemory.TryWrite(stack.Pointer, stack.Slice(stack._used)))
            throw new LoadException("the program's stack cannot be written", ENOMEM);
        return new Contents(stack.Pointer, aux, (argumentsStart, argumentsEnd), (argumentsEnd, environmentEnd));
    }

    private ulong Pointer => _top - (ulong)_used;

    private Span<byte> Slice(int length) => _bytes.AsSpan(_bytes.Length - _used, length);

    private void Align(int to) => _used = (_used + to - 1) & -to;

    private ulong Put(ReadOnlySpan<byte> bytes)
    {
        _used += bytes.Length;
        bytes.CopyTo(Slice(bytes.Length));
        return Pointer;
    }

    private ulong PutString(string text)
    {
        _used += 1;
        return Put(GuestText.Encode(text));
    }

    private void PutWord(ulong value)
    {
        _used += _pointer;
        if (_pointer == 8)
            BinaryPrimitives.WriteUInt64LittleEndian(Slice(8), value);
        else
            BinaryPrimitives.WriteUInt32LittleEndian(Slice(4), (uint)value);
    }
}

/// <summary>The host kernel's random numbers: .NET's own would load a cryptographic library.</summary>
internal static class HostRandom
{
    public static byte[] Bytes(int count)
    {
        using var scratch = new HostScratch(4096);
        Span<byte> bytes = scratch.Take(count, out long address);
        _ = HostSyscall.Invoke(318, address, count);
        return bytes.ToArray();
    }
}
