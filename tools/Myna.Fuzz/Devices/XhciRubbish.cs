namespace Myna.Fuzz.Devices;

/// <summary>An xHCI controller (xHCI 1.2) with devices: set up as a driver would, then given rings of which much is nearly right.</summary>
internal sealed class XhciRubbish(BoardFuzzer board, Values random, int function) : DriveRubbish(board, random)
{
    private const ulong Bar = 0xCA00_0000, Operational = Bar + 0x40, Ports = Bar + 0x440, Runtime = Bar + 0x1000, Doorbells = Bar + 0x2000;
    private const int RingSize = 32, EventSize = 64, MostSlots = 8;

    private sealed class Ring(ulong address)
    {
        public ulong Address => address;
        public int Index { get; set; }
        public uint Cycle { get; set; } = 1;
    }

    private readonly Dictionary<(int Slot, int Endpoint), Ring> _rings = [];
    private Ring _commands = new(0);
    private ulong _events, _array;
    private int _event;
    private uint _eventCycle;
    private int _slot;

    public override void Stir()
    {
        if ((Board.Load(Operational + 4, 4) & 0x1005) != 0 || Random.Chance(1))
            SetUp();
        switch (Random.Below(20))
        {
            case 0:
                Board.Store(Ports + ((ulong)Random.Below(8) * 16), 4, 1u << 9 | (Random.Chance(50) ? 1u << 4 : (uint)Random.Next()));
                break;
            case 1 or 2:
                Address();
                break;
            case 3:
                Configure();
                break;
            case 4 or 5:
                Command(Random.Chance(90) ? Random.Between(9, 24) : Random.Below(64), Random.Chance(50) ? Table(64) : Random.Integer(), Random.Below(MostSlots), Random.Below(32));
                break;
            default:
                Transfer();
                break;
        }
        for (int i = 0; i < EventSize && Random.Chance(99); i++)
        {
            uint control = (uint)Board.Load(_events + ((ulong)_event * 16) + 12, 4);
            if ((control & 1) != _eventCycle)
                break;
            if ((control >> 10 & 63) == 33 && (control >> 24) is > 0 and < MostSlots and var slot)
                _slot = (int)slot;
            if (++_event == EventSize)
                (_event, _eventCycle) = (0, _eventCycle ^ 1);
        }
        Board.Store(Runtime + 0x38, 8, Random.Chance(99) ? _events + ((ulong)_event * 16) | 8 : Random.Integer());
    }

    private void SetUp()
    {
        Board.PutConfig(function, 0x10, 4, (uint)Bar);
        Board.PutConfig(function, 0x14, 4, 0);
        Board.PutConfig(function, 4, 2, 6);
        Board.Store(Operational, 4, 2);
        _rings.Clear();
        _commands = new Ring(Table(64));
        (_events, _array) = (Table(4096), Table(4096));
        (_event, _eventCycle) = (0, 1);
        Board.Fill(_commands.Address, RingSize * 16, 0);
        Board.Fill(_events, EventSize * 16, 0);
        for (int i = 0; i < MostSlots; i++)
            Board.Store(_array + ((ulong)i * 8), 8, Random.Chance(97) ? Table(64) : Random.Integer());
        ulong table = Table(64);
        Board.Store(table, 8, _events);
        Board.Store(table + 8, 8, Random.Chance(98) ? EventSize : Random.Next());
        Board.Store(Operational + 0x38, 4, MostSlots - 1);
        Board.Store(Operational + 0x30, 8, _array);
        Board.Store(Operational + 0x18, 8, _commands.Address | 1);
        Board.Store(Runtime + 0x28, 4, 1);
        Board.Store(Runtime + 0x38, 8, _events);
        Board.Store(Runtime + 0x30, 8, table);
        Board.Store(Runtime + 0x20, 4, 2);
        Board.Store(Operational, 4, 5);
        for (int port = 0; port < 8; port++)
            Board.Store(Ports + ((ulong)port * 16), 4, 1u << 9 | 1u << 4);
        for (int i = 0; i < 5; i++)
            Address();
    }

    private void Put(Ring ring, ulong parameter, uint status, uint control)
    {
        ulong at = ring.Address + ((ulong)ring.Index * 16);
        Board.Store(at, 8, parameter);
        Board.Store(at + 8, 4, status);
        Board.Store(at + 12, 4, (control & ~1u) | (Random.Chance(99) ? ring.Cycle : ring.Cycle ^ 1));
        if (++ring.Index < RingSize - 1)
            return;
        Board.Store(ring.Address + ((RingSize - 1) * 16), 8, Random.Chance(98) ? ring.Address : Random.Integer());
        Board.Store(ring.Address + ((RingSize - 1) * 16) + 8, 8, (ulong)(6 << 10 | (Random.Chance(98) ? 2u : 0) | ring.Cycle | (control & 16)) << 32);
        (ring.Index, ring.Cycle) = (0, ring.Cycle ^ 1);
    }

    private void Command(int type, ulong parameter, int slot, int endpoint, uint flags = 0)
    {
        Put(_commands, parameter, 0, (uint)type << 10 | (uint)slot << 24 | (uint)endpoint << 16 | flags);
        Board.Store(Doorbells, 4, 0);
    }

    /// <summary>A slot, and an address for the device at some port.</summary>
    private void Address()
    {
        Command(9, 0, 0, 0);
        int slot = Random.Chance(70) ? Math.Max(1, Random.Below(MostSlots)) : _slot;
        ulong input = Table(64);
        Board.Fill(input, 1088, 0);
        Board.Store(input + 4, 4, Random.Chance(95) ? 3u : (uint)Random.Next());
        Board.Store(input + 32, 4, 1u << 27 | (Random.Chance(30) ? (uint)Random.Below(10) : 0));
        Board.Store(input + 36, 4, (uint)Random.Between(1, 9) << 16);
        Open(slot, 1, input + 64, 4);
        Command(11, input, slot, 0, Random.Chance(10) ? 1u << 9 : 0);
        // SET_CONFIGURATION.
        Control(slot, Random.Chance(95) ? 0x0001_0900ul : Random.Next());
    }

    private void Configure()
    {
        int slot = Math.Max(1, Random.Below(MostSlots));
        ulong input = Table(64);
        Board.Fill(input, 1088, 0);
        uint flags = 1;
        for (int i = 2; i < 6; i++)
        {
            flags |= 1u << i;
            Open(slot, i, input + 32 + ((ulong)i * 32), Random.Chance(95) ? (i & 1) != 0 ? Random.Chance(50) ? 7 : 6 : 2 : Random.Below(8));
        }
        Board.Store(input, 4, Random.Chance(95) ? 0 : (uint)Random.Next());
        Board.Store(input + 4, 4, Random.Chance(95) ? flags : (uint)Random.Next());
        Board.Store(input + 32, 4, 1u << 27);
        Command(12, Random.Chance(98) ? input : Random.Integer(), slot, 0);
    }

    private void Open(int slot, int index, ulong context, int type)
    {
        var ring = new Ring(Table(64));
        _rings[(slot, index)] = ring;
        Board.Fill(ring.Address, RingSize * 16, 0);
        Board.Store(context + 4, 4, 512u << 16 | (uint)type << 3 | 6);
        Board.Store(context + 8, 8, ring.Address | 1);
    }

    private void Control(int slot, ulong setup)
    {
        if (!_rings.TryGetValue((slot, 1), out Ring? ring))
            return;
        int length = (int)(setup >> 48);
        Put(ring, setup, 8, 2 << 10 | 1 << 6);
        if (length != 0)
            Put(ring, Buffer(), (uint)length, 3 << 10 | 4 | ((setup & 0x80) != 0 ? 1u << 16 : 0));
        Put(ring, 0, 0, 4 << 10 | 32);
        Board.Store(Doorbells + ((ulong)slot * 4), 4, 1);
    }

    private void Transfer()
    {
        int slot = Math.Max(1, Random.Below(MostSlots)), index = Random.Chance(30) ? 1 : Random.Between(2, 6);
        if (!_rings.TryGetValue((slot, index), out Ring? ring))
            return;
        if (index == 1 && Random.Chance(90))
        {
            ReadOnlySpan<byte> types = [0x00, 0x01, 0x02, 0x80, 0x80, 0x81, 0x82, 0x20, 0x21, 0x23, 0xA0, 0xA1, 0xA3];
            ReadOnlySpan<byte> requests = [0, 1, 3, 6, 6, 8, 9, 9, 10, 11, 1, 2, 0xFE, 0xFF, 48, 49];
            Control(slot, Random.Pick(types) | (ulong)Random.Pick(requests) << 8 | (Random.Chance(50) ? (ulong)Random.Below(2) << 16 : (Random.Next() & 0x0F03) << 16)
                | (ulong)Random.Below(9) << 32 | Small(300) << 48);
        }
        else if (index is 4 or 2 && Random.Chance(60))
        {
            Wrapper(ring);
        }
        else
        {
            for (int i = Random.Between(1, 4); i > 0; i--)
            {
                uint type = Random.Chance(95) ? 1u : (uint)Random.Below(64);
                Put(ring, Buffer(), (uint)(Random.Chance(90) ? Random.Pick<ulong>([8, 13, 31, 512, 1024, 4096, 6]) : Random.Next() & 0x1_FFFF) | (Random.Chance(5) ? (uint)Random.Next() & 0xFFC0_0000 : 0),
                    type << 10 | (i > 1 && Random.Chance(80) ? 16u : 0) | 36 | (Random.Chance(3) ? (uint)Random.Next() & 0x3FF : 0));
            }
        }
        Board.Store(Doorbells + ((ulong)slot * 4), 4, Random.Chance(98) ? (uint)index : (uint)Random.Next());
        if (Random.Chance(8))
        {
            // Recovery from what went wrong.
            Command(14, 0, slot, index);
            Command(16, ring.Address + ((ulong)ring.Index * 16) | ring.Cycle, slot, index);
            Control(slot, 0x21 | 0xFF << 8);
            Control(slot, 0x02 | 1 << 8 | (ulong)(index == 3 ? 0x81 : 2) << 32);
        }
    }

    /// <summary>A command block wrapper, its data and its status.</summary>
    private void Wrapper(Ring ring)
    {
        ReadOnlySpan<byte> operations = [0x00, 0x03, 0x12, 0x15, 0x1A, 0x1B, 0x25, 0x28, 0x28, 0x2A, 0x2A, 0x2F, 0x35, 0x41, 0x42, 0x43, 0x46, 0x4A, 0x55, 0x5A, 0x88, 0x8A, 0x93, 0x9E, 0xA8, 0xAA, 0xBE];
        ulong at = Table(64);
        Board.Store(at, 8, 0x4342_5355 | Random.Next() << 32);
        Board.Store(at + 8, 8, Small(5) * 512 | (Random.Chance(50) ? 0x80ul << 32 : 0) | 16ul << 48 | (ulong)Random.Pick(operations) << 56);
        Board.Store(at + 16, 8, Random.Chance(90) ? Small(2000) << 24 & 0xFF_FF00_0000 : Random.Next());
        Board.Store(at + 24, 8, Random.Chance(80) ? (ulong)Random.Below(5) << (Random.Chance(50) ? 0 : 8) : Random.Next());
        Put(ring, at, Random.Chance(98) ? 31u : (uint)Random.Below(64), 1 << 10 | 32);
    }
}
