namespace Myna.Fuzz.Devices;

/// <summary>Sets up a virtio device's queues and fills them with what no driver would write, but some of it nearly right.</summary>
internal sealed class VirtioRubbish(BoardFuzzer board, VirtioPlug plug, Values random)
{
    private const ulong VersionOne = 1UL << 32, Indirect = 1UL << 28, EventIndex = 1UL << 29, Packed = 1UL << 34;

    private sealed record Queue(int Index, int Size, ulong Descriptors, ulong Driver, ulong Device)
    {
        public ushort Next { get; set; }
        public bool Wrap { get; set; } = true;
    }

    private readonly List<Queue> _queues = [];
    private bool _packed;

    // Most of what is offered is well-formed, as one error may stop the device until its next reset.
    private bool _wild;

    public void SetUp()
    {
        _queues.Clear();
        plug.Reset();
        plug.Status(1);
        plug.Status(3);
        ulong features = plug.Features();
        if (random.Chance(60))
            features &= random.Next() | VersionOne | (random.Chance(50) ? Indirect | EventIndex : 0);
        if (random.Chance(50))
            features &= ~Packed;
        _packed = (features & Packed) != 0;
        plug.Accept(features);
        plug.Status(random.Chance(98) ? 0xBu : 3);
        for (int i = 0; i < 8; i++)
        {
            int most = plug.Select(i);
            if (most == 0)
                continue;
            int size = random.Chance(98) ? Math.Min(most, 1 << random.Between(1, 8)) : random.Below(0x1_0000);
            var queue = new Queue(i, Math.Clamp(size, 1, 256), Place(), Place(), Place());
            plug.SetUp(size, queue.Descriptors, queue.Driver, queue.Device);
            _queues.Add(queue);
            // The driver's and the device's indices begin at zero.
            board.Fill(queue.Descriptors, 4096, 0);
            board.Fill(queue.Driver, 1024, 0);
            board.Fill(queue.Device, 1024, 0);
        }
        plug.Status(random.Chance(98) ? 0xFu : 0xB);
    }

    // Rings lie in the upper half, buffers in the lower one unless they are to hit rings too.
    private const int Half = BoardFuzzer.ArenaSize / 2;

    private ulong Place() => random.Chance(99) ? board.Arena + Half + ((ulong)random.Below(Half >> 12) << 12) : random.Integer();

    private ulong Buffer() => !_wild ? board.Arena + (ulong)random.Below(Half) : random.Chance(90) ? board.Arena + (ulong)random.Below(BoardFuzzer.ArenaSize) : random.Integer();

    private uint Length() => !_wild ? 512u * (uint)random.Between(1, 5) : random.Below(12) switch { 0 => 0, 1 => (uint)random.Next(), 2 => uint.MaxValue, 3 => 0x1_0000, < 7 => 16, 7 => 1, _ => (uint)random.Below(3000) };

    /// <summary>Makes some buffers available and says so.</summary>
    public void Stir()
    {
        // DEVICE_NEEDS_RESET, or never ready.
        if (_queues.Count == 0 || ((plug.Status() & 0x44) != 4 && random.Chance(70)))
        {
            SetUp();
            return;
        }
        Queue queue = _queues[random.Below(_queues.Count)];
        _wild = random.Chance(10);
        int count = random.Between(1, 4);
        for (int i = 0; i < count; i++)
        {
            if (_packed)
                OfferPacked(queue);
            else
                OfferSplit(queue);
        }
        plug.Notify(random.Chance(98) ? queue.Index : random.Below(0x1_0000));
    }

    private uint HeaderLength => !plug.IsScsi ? 16u : random.Chance(85) ? 51u : 24u;

    // A request's header: numbers of request types, sectors, ports, commands.
    private ulong Header()
    {
        ulong at = board.Arena + ((ulong)random.Below(Half / 64) * 64);
        if (plug.IsScsi && random.Chance(90))
        {
            ScsiHeader(at);
            return at;
        }
        board.Store(at, 4, (uint)(random.Chance(60) ? random.Below(2) : random.Below(_wild ? 1 << 30 : 16)));
        board.Store(at + 4, 4, random.Chance(80) ? 0 : (uint)random.Next());
        board.Store(at + 8, 8, random.Chance(80) ? (ulong)random.Below(2100) : random.Integer());
        return at;
    }

    /// <summary>A command, or a task management function where the control queue gets it.</summary>
    private void ScsiHeader(ulong at)
    {
        ReadOnlySpan<byte> operations = [0x00, 0x03, 0x08, 0x0A, 0x12, 0x12, 0x15, 0x1A, 0x1B, 0x1E, 0x25, 0x28, 0x28, 0x2A, 0x2A, 0x2F, 0x35, 0x41, 0x42, 0x43, 0x46, 0x4A, 0x51, 0x55, 0x5A,
            0x88, 0x8A, 0x8F, 0x93, 0x9E, 0xA0, 0xA8, 0xAA, 0xBE];
        bool manage = random.Chance(20);
        ulong lun = 0x4000_01ul | (ulong)random.Below(random.Chance(95) ? 2 : 256) << 8 | (random.Chance(95) ? 0 : random.Next() << 24);
        for (ulong i = 0; i < 56; i += 8)
            board.Store(at + i, 8, random.Chance(80) ? 0 : random.Next());
        if (manage)
        {
            board.Store(at, 4, random.Chance(90) ? 0 : (uint)random.Below(4));
            board.Store(at + 4, 4, (uint)random.Below(9));
        }
        board.Store(at + (manage ? 8u : 0), 8, lun);
        if (manage)
            return;
        board.Store(at + 19, 1, random.Pick(operations));
        board.Store(at + 24, 1, (uint)random.Below(8));
        board.Store(at + 27, 1, (uint)random.Below(random.Chance(90) ? 5 : 256));
    }

    private void OfferSplit(Queue queue)
    {
        bool writes = random.Chance(50);
        int length = Math.Min(random.Between(1, 5), queue.Size), head = random.Below(queue.Size), at = head;
        for (int i = 0; i < length; i++)
        {
            int next = !_wild || random.Chance(90) ? (at + 1) % queue.Size : random.Below(0x1_0000);
            bool last = i == length - 1 && !(_wild && random.Chance(10)), indirect = _wild && random.Chance(10), writable = i != 0 && (last || writes);
            Descriptor(queue.Descriptors + ((ulong)at * 16), i == 0 ? Header() : Buffer(), i == 0 && random.Chance(80) ? HeaderLength : last && !plug.IsScsi && random.Chance(70) ? 1 : Length(),
                (last ? 0 : 1) | (writable ? 2 : 0) | (indirect ? 4 : 0), next);
            at = next % queue.Size;
        }
        board.Store(queue.Driver + 4 + ((ulong)(queue.Next % queue.Size) * 2), 2, (uint)(!_wild || random.Chance(90) ? head : random.Below(0x1_0000)));
        queue.Next++;
        board.Store(queue.Driver + 2, 2, !_wild || random.Chance(95) ? queue.Next : (uint)random.Below(0x1_0000));
        if (random.Chance(10))
            board.Store(queue.Driver, 2, (uint)random.Below(2));
    }

    private void OfferPacked(Queue queue)
    {
        bool writes = random.Chance(50);
        int length = Math.Min(random.Between(1, 5), queue.Size);
        for (int i = 0; i < length; i++)
        {
            bool last = i == length - 1 && !(_wild && random.Chance(10)), indirect = _wild && random.Chance(10), writable = i != 0 && (last || writes);
            int flags = (last ? 0 : 1) | (writable ? 2 : 0) | (indirect ? 4 : 0) | (queue.Wrap != (_wild && random.Chance(5)) ? 0x80 : 0x8000);
            Descriptor(queue.Descriptors + ((ulong)(queue.Next % queue.Size) * 16), i == 0 ? Header() : Buffer(),
                i == 0 && random.Chance(80) ? HeaderLength : last && !plug.IsScsi && random.Chance(70) ? 1 : Length(), random.Below(256), flags);
            if (++queue.Next == queue.Size)
            {
                queue.Next = 0;
                queue.Wrap = !queue.Wrap;
            }
        }
    }

    // Split queues: flags, next; packed ones: id, flags.
    private void Descriptor(ulong at, ulong address, uint length, int first, int second)
    {
        board.Store(at, 8, address);
        board.Store(at + 8, 4, length);
        board.Store(at + 12, 2, (uint)first);
        board.Store(at + 14, 2, (uint)second);
    }
}
