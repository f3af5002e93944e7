namespace Myna.Fuzz.Devices;

/// <summary>Drives a storage controller with what no driver would ask for, but some of it nearly right.</summary>
internal abstract class DriveRubbish(BoardFuzzer board, Values random)
{
    protected BoardFuzzer Board => board;
    protected Values Random => random;

    /// <summary>Some commands more.</summary>
    public abstract void Stir();

    /// <summary>Finds the controllers of a PC that it has rubbish for.</summary>
    public static IEnumerable<DriveRubbish> Find(BoardFuzzer board, Values random)
    {
        for (int function = 0; function < 256; function++)
        {
            if (board.GetConfig(function, 0, 2) == 0xFFFF)
                continue;
            switch (board.GetConfig(function, 8, 4) >> 8)
            {
                case 0x010601: yield return new AhciRubbish(board, random, function); break;
                case 0x010802: yield return new NvmeRubbish(board, random, function); break;
                case 0x0C0330: yield return new XhciRubbish(board, random, function); break;
                case 0x020000 when board.GetConfig(function, 0, 4) is 0x100E_8086 or 0x10D3_8086: yield return new GigabitRubbish(board, random, function); break;
                case 0x020000 when board.GetConfig(function, 0, 2) == 0x10EC: yield return new Rtl8139Rubbish(board, random, function); break;
                case 0x080501: yield return new SdRubbish(board, random, function); break;
                case 0x040300: yield return new HdaRubbish(board, random, function); break;
                case 0x030000: yield return new VgaRubbish(board, random, function); break;
                case 0x010180: yield return new IdeRubbish(board, random, function); break;
            }
        }
    }

    /// <summary>A PC's TPM, which is no PCI function.</summary>
    public static DriveRubbish Tpm(BoardFuzzer board, Values random) => new TpmRubbish(board, random);

    /// <summary>An address for data: mostly RAM.</summary>
    protected ulong Buffer() => random.Chance(95) ? board.Arena + ((ulong)random.Below(BoardFuzzer.ArenaSize / 2) & ~1ul) : random.Integer();

    /// <summary>A number of sectors, a logical block, an address: small, or anything.</summary>
    protected ulong Small(int below) => random.Chance(92) ? (ulong)random.Below(below) : random.Integer();

    /// <summary>A place for what controllers read, out of the buffers' way.</summary>
    protected ulong Table(ulong alignment) => board.Arena + (BoardFuzzer.ArenaSize / 2) + ((ulong)random.Below(BoardFuzzer.ArenaSize / 4) & ~(alignment - 1));

    /// <summary>A packet of a CD drive, in two words and a half.</summary>
    protected void Packet(ulong at)
    {
        ReadOnlySpan<byte> operations = [0x00, 0x03, 0x12, 0x15, 0x1A, 0x1B, 0x1E, 0x25, 0x28, 0x28, 0x2F, 0x42, 0x43, 0x46, 0x4A, 0x51, 0x52, 0x55, 0x5A, 0xA8, 0xAD, 0xBD, 0xBE];
        board.Store(at, 8, random.Chance(95) ? random.Pick(operations) | (random.Next() & 0xFF00) | Small(512) << 40 : random.Next());
        board.Store(at + 8, 8, random.Chance(50) ? random.Next() & 0xFFFF : random.Next());
    }

    protected static ReadOnlySpan<byte> AtaCommands => [0x00, 0x06, 0x08, 0x20, 0x24, 0x25, 0x25, 0x27, 0x29, 0x2F, 0x30, 0x34, 0x35, 0x35, 0x39, 0x3D, 0x40, 0x42, 0x60, 0x60, 0x61, 0x61,
        0x90, 0x91, 0xA0, 0xA0, 0xA0, 0xA1, 0xC4, 0xC5, 0xC6, 0xC8, 0xCA, 0xCE, 0xE0, 0xE5, 0xE7, 0xEA, 0xEC, 0xEF, 0xF8];
}

/// <summary>An AHCI controller (AHCI 1.3.1).</summary>
internal sealed class AhciRubbish(BoardFuzzer board, Values random, int function) : DriveRubbish(board, random)
{
    private const ulong Bar = 0xC800_0000;
    private readonly ulong[] _lists = new ulong[6];

    public override void Stir()
    {
        int port = Random.Chance(95) ? Random.Below(2) : Random.Below(6);
        ulong registers = Bar + 0x100 + ((ulong)port * 0x80);
        // Stopped by an error, or never started.
        if (_lists[port] == 0 || (Board.Load(registers + 0x10, 4) & 0x6000_0000) != 0 || Random.Chance(3))
        {
            Board.PutConfig(function, 0x24, 4, (uint)Bar);
            Board.PutConfig(function, 4, 2, 6);
            Board.Store(Bar + 4, 4, 0x8000_0002);
            Board.Store(registers + 0x18, 4, Random.Chance(90) ? 0u : (uint)Random.Next());
            _lists[port] = Table(1024);
            Board.Store(registers, 8, _lists[port]);
            Board.Store(registers + 8, 8, Random.Chance(98) ? Table(256) : Random.Integer());
            Board.Store(registers + 0x30, 4, uint.MaxValue);
            Board.Store(registers + 0x10, 4, uint.MaxValue);
            if (Random.Chance(20))
            {
                Board.Store(registers + 0x2C, 4, 1);
                Board.Store(registers + 0x2C, 4, 0);
            }
            Board.Store(registers + 0x18, 4, 0x11);
            Board.Store(registers + 0x14, 4, Random.Chance(90) ? 0x7DC0_007Fu : 0);
        }
        uint slots = 0, tags = 0;
        for (int n = Random.Between(1, 5); n > 0; n--)
        {
            int slot = Random.Below(32);
            slots |= 1u << slot;
            if (Command(_lists[port] + ((ulong)slot * 32), slot))
                tags |= 1u << slot;
        }
        Board.Store(registers + 0x34, 4, tags);
        Board.Store(registers + 0x38, 4, slots);
    }

    private bool Command(ulong header, int slot)
    {
        ulong table = Table(128);
        int regions = Random.Chance(95) ? Random.Between(1, 6) : Random.Below(0x1_0000);
        byte command = Random.Chance(95) ? Random.Pick(AtaCommands) : (byte)Random.Next();
        bool queued = command is 0x60 or 0x61;
        ulong count = Small(20);
        Board.Store(header, 8, 5u | (uint)regions << 16);
        Board.Store(header + 8, 8, Random.Chance(98) ? table : Random.Integer());
        Board.Store(table, 8, 0x27 | (Random.Chance(97) ? 0x8000u : 0) | (ulong)command << 16 | (queued ? count & 0xFF : Random.Next() & 3) << 24 | (Small(2100) & 0xFF_FFFF) << 32 | 0x40ul << 56);
        Board.Store(table + 8, 8, (queued ? (ulong)slot << 3 : count & 0xFFFF) << 32 | (Random.Chance(5) ? Random.Next() & 0xFF : 0));
        Packet(table + 0x40);
        for (int i = 0; i < Math.Min(regions, 8); i++)
        {
            Board.Store(table + 0x80 + ((ulong)i * 16), 8, Buffer());
            Board.Store(table + 0x8C + ((ulong)i * 16), 4, Random.Chance(80) ? (512 * (uint)Random.Between(1, 9)) - 1 : (uint)Random.Next());
        }
        return queued;
    }
}

/// <summary>An IDE controller with bus-master DMA.</summary>
internal sealed class IdeRubbish(BoardFuzzer board, Values random, int function) : DriveRubbish(board, random)
{
    private const ulong BusMaster = 0xC100;

    public override void Stir()
    {
        bool second = Random.Chance(20);
        ulong command = second ? 0x170u : 0x1F0, control = second ? 0x376u : 0x3F6, master = BusMaster + (second ? 8u : 0);
        if (Random.Chance(5))
        {
            Board.PutConfig(function, 0x20, 4, (uint)BusMaster);
            Board.PutConfig(function, 4, 2, 5);
        }
        if (Random.Chance(4))
        {
            Board.Out(control, 1, 4);
            Board.Out(control, 1, 0);
        }
        Board.Out(command + 6, 1, 0x40u | (Random.Chance(40) ? 0x10u : 0) | (Random.Chance(5) ? Random.Next() & 0xFF : 0));
        for (int twice = 0; twice < 2; twice++)
        {
            for (ulong i = 1; i < 6; i++)
                Board.Out(command + i, 1, i is 1 ? (ulong)Random.Below(4) : twice == 0 ? Random.Chance(90) ? 0 : Random.Next() & 0xFF : Random.Next() & (i == 2 ? 0x1Fu : i == 4 ? 7u : i == 5 ? 0u : 0xFF));
        }
        byte code = Random.Chance(95) ? Random.Pick(AtaCommands) : (byte)Random.Next();
        Board.Out(command + 7, 1, code);
        if (code == 0xA0)
        {
            ulong packet = Table(16);
            Packet(packet);
            for (ulong i = 0; i < 12; i += 2)
                Board.Out(command, 2, Board.Load(packet + i, 2));
        }
        if (Random.Chance(50))
        {
            ulong table = Table(4);
            int entries = Random.Between(1, 6);
            for (int i = 0; i < entries; i++)
            {
                Board.Store(table + ((ulong)i * 8), 4, Buffer());
                Board.Store(table + ((ulong)i * 8) + 4, 4, (Random.Chance(80) ? 512 * (uint)Random.Between(1, 9) : (uint)Random.Next()) | (i == entries - 1 ? 1u << 31 : 0));
            }
            Board.Out(master + 4, 4, table);
            Board.Out(master, 1, Random.Chance(50) ? 9u : 1);
            Board.Out(master, 1, 0);
            return;
        }
        bool read = Random.Chance(50);
        for (int n = Random.Below(600); n > 0; n--)
        {
            if (read)
                Board.In(command, Random.Chance(95) ? 2 : 4);
            else
                Board.Out(command, Random.Chance(95) ? 2 : 4, Random.Next());
        }
    }
}

/// <summary>An NVMe controller (NVM Express 1.4).</summary>
internal sealed class NvmeRubbish(BoardFuzzer board, Values random, int function) : DriveRubbish(board, random)
{
    private const ulong Bar = 0xC900_0000;
    private const int Queues = 4, Entries = 16;
    private readonly ulong[] _sq = new ulong[Queues], _cq = new ulong[Queues];
    private readonly int[] _tails = new int[Queues];

    public override void Stir()
    {
        if ((Board.Load(Bar + 0x1C, 4) & 3) != 1 || Random.Chance(1))
            SetUp();
        int queue = Random.Below(Queues);
        if (_sq[queue] == 0)
            return;
        for (int n = Random.Between(1, 4); n > 0; n--)
        {
            Entry(_sq[queue] + ((ulong)_tails[queue] * 64), queue);
            _tails[queue] = (_tails[queue] + 1) % Entries;
        }
        Board.Store(Bar + 0x1000 + ((ulong)queue * 8), 4, Random.Chance(98) ? (ulong)_tails[queue] : Random.Next() & 0x1F);
        // What has ended is taken, wherever it is.
        Board.Store(Bar + 0x1004 + ((ulong)queue * 8), 4, Random.Next() & 15);
    }

    private void SetUp()
    {
        Board.PutConfig(function, 0x10, 4, (uint)Bar);
        Board.PutConfig(function, 0x14, 4, 0);
        Board.PutConfig(function, 4, 2, 6);
        Board.Store(Bar + 0x14, 4, 0);
        for (int i = 0; i < Queues; i++)
        {
            (_sq[i], _cq[i], _tails[i]) = (Table(4096), Table(4096), 0);
            Board.Fill(_cq[i], 256, 0);
        }
        Board.Store(Bar + 0x24, 4, ((Entries - 1) << 16) | (Entries - 1));
        Board.Store(Bar + 0x28, 8, _sq[0]);
        Board.Store(Bar + 0x30, 8, Random.Chance(98) ? _cq[0] : Random.Integer());
        Board.Store(Bar + 0x14, 4, Random.Chance(97) ? 0x0046_0001u : (uint)Random.Next());
        for (int i = 1; i < Queues; i++)
        {
            Admin(5, _cq[i], (uint)((Entries - 1) << 16 | i), (uint)(i << 16) | 3);
            Admin(1, _sq[i], (uint)((Entries - 1) << 16 | i), (uint)(i << 16) | 1);
        }
    }

    private void Admin(byte opcode, ulong prp, uint cdw10, uint cdw11)
    {
        ulong at = _sq[0] + ((ulong)_tails[0] * 64);
        Board.Fill(at, 64, 0);
        Board.Store(at, 8, opcode);
        Board.Store(at + 24, 8, prp);
        Board.Store(at + 40, 8, cdw10 | (ulong)cdw11 << 32);
        _tails[0] = (_tails[0] + 1) % Entries;
        Board.Store(Bar + 0x1000, 4, (ulong)_tails[0]);
        Board.Store(Bar + 0x1004, 4, (ulong)_tails[0]);
    }

    private void Entry(ulong at, int queue)
    {
        ReadOnlySpan<byte> io = [0, 1, 1, 2, 2, 2, 8, 9, 5], admin = [0, 1, 2, 4, 5, 6, 6, 8, 9, 10, 12];
        byte opcode = Random.Chance(98) ? queue == 0 ? Random.Pick(admin) : Random.Pick(io) : (byte)Random.Next();
        Board.Store(at, 8, opcode | Random.Next() & 0xFFFF_0000 | Small(4) << 32);
        Board.Store(at + 24, 8, Random.Chance(90) ? Buffer() & ~3ul : Random.Integer());
        Board.Store(at + 32, 8, Random.Chance(60) ? Buffer() & ~4095ul : Random.Chance(80) ? Table(8) : Random.Integer());
        Board.Store(at + 40, 8, queue == 0 ? Random.Next() & 0x001F_001F_001F_001F : Small(2100));
        Board.Store(at + 48, 8, Small(200) & 0xFFFF | (Random.Chance(10) ? Random.Next() & 0xFFFF_0000 : 0));
    }
}
