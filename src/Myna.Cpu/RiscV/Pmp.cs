using Myna.Jit.Memory;

namespace Myna.Cpu.RiscV;

/// <summary>
/// Physical memory protection: 16 entries, granularity 4 bytes (privileged specification, section "Physical Memory
/// Protection").
/// </summary>
internal sealed class Pmp
{
    private const int Read = 1, Write = 2, Execute = 4, Locked = 0x80;
    private readonly byte[] _config;
    private readonly ulong[] _address;
    private readonly ulong[] _first = new ulong[CsrTable.PmpEntries];
    private readonly ulong[] _last = new ulong[CsrTable.PmpEntries];
    private readonly int[] _active = new int[CsrTable.PmpEntries];
    private int _count;

    /// <param name="config">The hart's pmpcfg bytes.</param>
    /// <param name="address">The hart's pmpaddr registers.</param>
    public Pmp(byte[] config, ulong[] address)
    {
        _config = config;
        _address = address;
        Update();
    }

    public ulong ReadConfig(int register)
    {
        ulong value = 0;
        for (int i = 7; i >= 0; i--)
            value = value << 8 | _config[(register * 4) + i];
        return value;
    }

    /// <param name="register">0 for pmpcfg0, 2 for pmpcfg2.</param>
    public void WriteConfig(int register, ulong value)
    {
        for (int i = 0; i < 8; i++)
        {
            int entry = (register * 4) + i;
            if ((_config[entry] & Locked) != 0)
                continue;
            int config = (int)(value >> (8 * i)) & 0x9F;
            // R = 0 with W = 1 is reserved; the fields are WARL.
            if ((config & (Read | Write)) == Write)
                config &= ~Write;
            _config[entry] = (byte)config;
        }
        Update();
    }

    public ulong ReadAddress(int entry) => _address[entry];

    public void WriteAddress(int entry, ulong value)
    {
        // A locked TOR entry locks the address below it too.
        if ((_config[entry] & Locked) != 0 || (entry + 1 < _config.Length && (_config[entry + 1] & (Locked | 0x18)) == (Locked | 0x08)))
            return;
        _address[entry] = value & ((1UL << 54) - 1);
        Update();
    }

    /// <summary>Whether an access is allowed: the lowest entry that matches any byte decides, and must match all.</summary>
    public bool Allows(ulong address, ulong size, PageRights access, bool machine)
    {
        PageRights rights = RightsOf(address, size, machine, out bool whole);
        return whole && (rights & access) == access;
    }

    /// <summary>What is allowed in a range.</summary>
    /// <param name="uniform">False when the range is cut by the entry that decides: then ask for single accesses.</param>
    public PageRights RightsOf(ulong address, ulong size, bool machine, out bool uniform)
    {
        uniform = true;
        ulong last = address + (size - 1);
        for (int n = 0; n < _count; n++)
        {
            if (last < _first[n] || address > _last[n])
                continue;
            if (address < _first[n] || last > _last[n])
            {
                uniform = false;
                return PageRights.None;
            }
            int config = _config[_active[n]];
            if (machine && (config & Locked) == 0)
                break;
            return (PageRights)(config & 7);
        }
        // With entries implemented, what none matches is forbidden to S and U.
        return machine ? PageRights.Read | PageRights.Write | PageRights.Execute : PageRights.None;
    }

    /// <summary>Derives the address ranges; call it after the arrays changed.</summary>
    public void Update()
    {
        _count = 0;
        for (int i = 0; i < _config.Length; i++)
        {
            ulong first, last;
            switch ((_config[i] >> 3) & 3)
            {
                case 1: // TOR
                    first = i == 0 ? 0 : _address[i - 1] << 2;
                    last = _address[i] << 2;
                    if (last <= first)
                        continue;
                    last--;
                    break;
                case 2: // NA4
                    first = _address[i] << 2;
                    last = first + 3;
                    break;
                case 3: // NAPOT: y…y01…1 with n ones covers 2^(n+3) bytes.
                    ulong ones = _address[i] ^ (_address[i] + 1);
                    first = (_address[i] & ~ones) << 2;
                    last = first + (ones << 2 | 3);
                    break;
                default:
                    continue;
            }
            _active[_count] = i;
            _first[_count] = first;
            _last[_count] = last;
            _count++;
        }
    }
}
