using Myna.Cpu.Debugging;

namespace Myna.Cpu.X86.Kvm;

/// <summary>A debugger's breakpoints and watchpoints in the processor's four debug registers (Intel SDM volume 3, sections 18.2.4 and 18.2.5).</summary>
public struct KvmDebugLayout
{
    private const int Registers = 4;
    private const ulong Execute = 0, Write = 1, ReadOrWrite = 3;

    private int _used;
    private int _data;

    public ulong Db0, Db1, Db2, Db3, Dr7;

    /// <summary>How many registers are used.</summary>
    public readonly int Used => _used;

    /// <summary>The address that a register watches, if <paramref name="dr6"/> says that it was hit and data is what it watches.</summary>
    public readonly ulong? HitData(ulong dr6)
    {
        for (int i = 0; i < _used; i++)
        {
            if ((dr6 >> i & 1) != 0 && (_data >> i & 1) != 0)
                return i switch { 0 => Db0, 1 => Db1, 2 => Db2, _ => Db3 };
        }
        return null;
    }

    /// <summary>Finds places for all of them.</summary>
    /// <param name="watched">Ranges of data; those whose loads alone are watched have no place, for the processor always watches stores with them.</param>
    /// <returns>False: they do not all fit.</returns>
    public static bool TryLayOut(IEnumerable<ulong> breakpoints, IEnumerable<(ulong Start, ulong Length, WatchKind Kind)> watched, out KvmDebugLayout layout)
    {
        layout = default;
        foreach (ulong address in breakpoints)
        {
            if (!layout.TryAdd(address, Execute, 1))
                return false;
        }
        foreach ((ulong start, ulong length, WatchKind kind) in watched)
        {
            if ((kind & WatchKind.Write) == 0 || length > 8 * Registers)
                return false;
            // Pieces of 1, 2, 4 and 8 bytes at their natural places.
            for (ulong at = start, left = length; left != 0;)
            {
                int size = 8;
                while ((at & (ulong)(size - 1)) != 0 || (ulong)size > left)
                    size >>= 1;
                if (!layout.TryAdd(at, kind == WatchKind.Write ? Write : ReadOrWrite, size))
                    return false;
                at += (ulong)size;
                left -= (ulong)size;
            }
        }
        return true;
    }

    private bool TryAdd(ulong address, ulong kind, int size)
    {
        if (_used == Registers)
            return false;
        switch (_used)
        {
            case 0: Db0 = address; break;
            case 1: Db1 = address; break;
            case 2: Db2 = address; break;
            default: Db3 = address; break;
        }
        // LEN: 00 one byte, 01 two, 11 four, 10 eight. Enabled globally.
        ulong length = size switch { 1 => 0, 2 => 1, 4 => 3, _ => 2 };
        Dr7 |= 2UL << (2 * _used) | (length << 2 | kind) << (16 + 4 * _used);
        if (kind != Execute)
            _data |= 1 << _used;
        _used++;
        return true;
    }
}
