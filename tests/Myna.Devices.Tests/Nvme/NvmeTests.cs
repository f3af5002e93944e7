using System.Buffers.Binary;
using System.Text;
using Myna.Devices.Nvme;
using Myna.Devices.Pci;
using Myna.Devices.Tests.Virtio.Kit;
using Myna.Hardware.Backends;

namespace Myna.Devices.Tests.Nvme;

/// <summary>NVM Express 1.4.</summary>
public sealed class NvmeTests : IDisposable
{
    private const ulong Bar = 0xc000_0000, MsixBar = 0xc001_0000;
    private const int Entries = 8;

    private readonly GuestMemory _memory = new();
    private readonly InterruptProbe _probe = new();
    private readonly TestDisk _first = new(1 << 20), _second = new(1 << 16);
    private readonly NvmeController _controller;
    private readonly Dictionary<int, (ulong Sq, ulong Cq, int Tail, int Head, int Phase)> _queues = [];
    private ushort _id;

    public NvmeTests()
    {
        new Random(1).NextBytes(_first.Content);
        new Random(2).NextBytes(_second.Content);
        var host = new PciHost(_memory.Space, [new(Bar, 1 << 20)], Enumerable.Range(0, 4).Select(i => _probe.Line(i)), _probe);
        _controller = new NvmeController(_memory.Space, [_first, _second], "SERIAL42");
        host.Add(_controller, 1);
        _controller.WriteConfig(0x10, 4, (uint)Bar);
        _controller.WriteConfig(0x20, 4, (uint)MsixBar);
        _controller.WriteConfig(4, 2, 6);
        Enable();
    }

    public void Dispose()
    {
        _controller.Drain();
        _memory.Dispose();
    }

    private uint Get(int register)
    {
        Assert.True(_memory.Space.Load(Bar + (ulong)register, 4, out ulong value));
        return (uint)value;
    }

    private void Set(int register, ulong value, int size = 4) => Assert.True(_memory.Space.Store(Bar + (ulong)register, size, value));

    private void Enable()
    {
        NewQueue(0);
        Set(0x24, (Entries - 1) << 16 | Entries - 1);
        Set(0x28, _queues[0].Sq, 8);
        Set(0x30, _queues[0].Cq, 8);
        Set(0x14, 4 << 20 | 6 << 16 | 1);
        Assert.Equal(1u, Get(0x1c));
    }

    private void NewQueue(int number) => _queues[number] = (_memory.Allocate(Entries * 64, 4096), _memory.Allocate(Entries * 16, 4096), 0, 0, 1);

    private void CreateQueue(int number, int vector = 0)
    {
        NewQueue(number);
        Assert.Equal(0, Run(0, 5, 0, _queues[number].Cq, cdw10: (uint)(Entries - 1) << 16 | (uint)number, cdw11: (uint)vector << 16 | 3));
        Assert.Equal(0, Run(0, 1, 0, _queues[number].Sq, cdw10: (uint)(Entries - 1) << 16 | (uint)number, cdw11: (uint)number << 16 | 1));
    }

    private ushort Submit(int queue, byte opcode, uint nsid, ulong prp1 = 0, ulong prp2 = 0, uint cdw10 = 0, uint cdw11 = 0, uint cdw12 = 0, bool ring = true)
    {
        var q = _queues[queue];
        byte[] entry = new byte[64];
        BinaryPrimitives.WriteUInt32LittleEndian(entry, opcode | (uint)++_id << 16);
        BinaryPrimitives.WriteUInt32LittleEndian(entry.AsSpan(4), nsid);
        BinaryPrimitives.WriteUInt64LittleEndian(entry.AsSpan(24), prp1);
        BinaryPrimitives.WriteUInt64LittleEndian(entry.AsSpan(32), prp2);
        BinaryPrimitives.WriteUInt32LittleEndian(entry.AsSpan(40), cdw10);
        BinaryPrimitives.WriteUInt32LittleEndian(entry.AsSpan(44), cdw11);
        BinaryPrimitives.WriteUInt32LittleEndian(entry.AsSpan(48), cdw12);
        _memory.Write(q.Sq + (ulong)q.Tail * 64, entry);
        q.Tail = (q.Tail + 1) % Entries;
        _queues[queue] = q;
        if (ring)
            Set(0x1000 + queue * 8, (uint)q.Tail);
        return _id;
    }

    /// <summary>The next completion, if it is there.</summary>
    private (ushort Id, int Status, uint Result)? Take(int queue, bool ring = true)
    {
        var q = _queues[queue];
        byte[] entry = _memory.Read(q.Cq + (ulong)q.Head * 16, 16);
        ushort status = BinaryPrimitives.ReadUInt16LittleEndian(entry.AsSpan(14));
        if ((status & 1) != q.Phase)
            return null;
        q.Head++;
        if (q.Head == Entries)
            (q.Head, q.Phase) = (0, q.Phase ^ 1);
        _queues[queue] = q;
        if (ring)
            Set(0x1004 + queue * 8, (uint)q.Head);
        return (BinaryPrimitives.ReadUInt16LittleEndian(entry.AsSpan(12)), status >> 1 & 0x7ff, BinaryPrimitives.ReadUInt32LittleEndian(entry));
    }

    private int Run(int queue, byte opcode, uint nsid, ulong prp1 = 0, ulong prp2 = 0, uint cdw10 = 0, uint cdw11 = 0, uint cdw12 = 0)
    {
        ushort id = Submit(queue, opcode, nsid, prp1, prp2, cdw10, cdw11, cdw12);
        (ushort Id, int Status, uint Result)? end = Take(queue);
        Assert.NotNull(end);
        Assert.Equal(id, end.Value.Id);
        return end.Value.Status;
    }

    [Fact]
    public void Identify_names_the_controller_and_its_namespaces()
    {
        ulong page = _memory.Allocate(4096, 4096);
        Assert.Equal(0, Run(0, 6, 0, page, cdw10: 1));
        byte[] data = _memory.Read(page, 4096);
        Assert.Equal("SERIAL42", Encoding.ASCII.GetString(data, 4, 20).TrimEnd());
        Assert.Equal(2u, BinaryPrimitives.ReadUInt32LittleEndian(data.AsSpan(516)));
        Assert.Equal((0x66, 0x44), (data[512], data[513]));
        Assert.Equal(0, Run(0, 6, 2, page, cdw10: 0));
        data = _memory.Read(page, 4096);
        Assert.Equal((1ul << 16) / 512, BinaryPrimitives.ReadUInt64LittleEndian(data));
        Assert.Equal(9, data[130]);
        Assert.Equal(0, Run(0, 6, 0, page, cdw10: 2));
        data = _memory.Read(page, 12);
        Assert.Equal([1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0], data);
        Assert.Equal(0x0b, Run(0, 6, 0, page, cdw10: 0));
        Assert.Equal(2, Run(0, 6, 0, page, cdw10: 0x77));
    }

    [Fact]
    public void Reads_and_writes_by_lists_of_pages()
    {
        CreateQueue(1);
        // 40 KiB from the middle of a page: eleven pages, a list.
        ulong data = _memory.Allocate(64 << 10, 4096), list = _memory.Allocate(4096, 4096);
        for (int i = 0; i < 10; i++)
            _memory.Write64(list + (ulong)i * 8, data + (ulong)(i + 1) * 4096);
        Assert.Equal(0, Run(1, 2, 1, data + 2048, list, cdw10: 100, cdw12: 79));
        Assert.True(_first.Content.AsSpan(100 * 512, 80 * 512).SequenceEqual(_memory.Read(data + 2048, 80 * 512)));
        Assert.Equal(0, Run(1, 1, 2, data + 2048, list, cdw10: 20, cdw12: 79));
        Assert.True(_second.Content.AsSpan(20 * 512, 80 * 512).SequenceEqual(_first.Content.AsSpan(100 * 512, 80 * 512)));
        Assert.Equal(0, _second.Flushes);
        Assert.Equal(0, Run(1, 1, 2, data, cdw10: 0, cdw12: 1u << 30 | 7));
        Assert.Equal(1, _second.Flushes);
        Assert.Equal(0, Run(1, 0, uint.MaxValue));
        Assert.Equal((1, 2), (_first.Flushes, _second.Flushes));
    }

    [Fact]
    public void A_list_that_fills_its_page_goes_on_in_the_next()
    {
        CreateQueue(1);
        ulong data = _memory.Allocate(1 << 20, 4096), list = _memory.Allocate(8192, 4096);
        // The list begins at the last but one entry of its page.
        ulong at = list + 4096 - 16;
        _memory.Write64(at, data + 4096);
        _memory.Write64(at + 8, list + 4096);
        for (int i = 0; i < 6; i++)
            _memory.Write64(list + 4096 + (ulong)i * 8, data + (ulong)(i + 2) * 4096);
        Assert.Equal(0, Run(1, 2, 1, data, at, cdw10: 8, cdw12: 63));
        Assert.True(_first.Content.AsSpan(8 * 512, 64 * 512).SequenceEqual(_memory.Read(data, 64 * 512)));
    }

    [Fact]
    public void What_cannot_be_done_says_why()
    {
        CreateQueue(1);
        ulong data = _memory.Allocate(8192, 4096);
        Assert.Equal(0x80, Run(1, 2, 1, data, cdw10: (1 << 20) / 512, cdw12: 0));
        Assert.Equal(0x0b, Run(1, 2, 3, data));
        Assert.Equal(0x01, Run(1, 0x7f, 1, data));
        Assert.Equal(0x04, Run(1, 2, 1, 0x1000));
        Assert.Equal(0x13, Run(1, 2, 1, data, data + 4100, cdw12: 15));
        _first.Fail = BlockStatus.IoError;
        Assert.Equal(0x281, Run(1, 2, 1, data));
        Assert.Equal(0x280, Run(1, 1, 1, data));
        Assert.Equal(0x101, Run(0, 5, 0, data, cdw10: 7u << 16 | 1, cdw11: 1)); // exists already
        Assert.Equal(0x100, Run(0, 1, 0, data, cdw10: 7u << 16 | 2, cdw11: 9u << 16 | 1));
        Assert.Equal(0x10c, Run(0, 4, 0, cdw10: 1)); // its submission queue is there
        Assert.Equal(0, Run(0, 0, 0, cdw10: 1));
        Assert.Equal(0, Run(0, 4, 0, cdw10: 1));
    }

    [Fact]
    public void Commands_end_in_any_order_and_never_overrun_the_completion_queue()
    {
        CreateQueue(1);
        _first.Deferred = true;
        ulong data = _memory.Allocate(4096, 4096);
        for (int i = 0; i < Entries - 1; i++)
            Submit(1, 2, 1, data, ring: i == Entries - 2);
        Assert.Equal(Entries - 1, _first.Pending);
        var random = new Random(5);
        while (_first.CompleteOne(random))
        {
        }
        _controller.Drain();
        // Full: what comes now waits until the host has taken something.
        for (int i = 0; i < 3; i++)
            Submit(1, 2, 1, data);
        Assert.Equal(0, _first.Pending);
        var ids = new HashSet<ushort>();
        for (int i = 0; i < Entries - 1; i++)
            Assert.True(ids.Add(Take(1)!.Value.Id));
        Assert.Null(Take(1));
        Assert.Equal(3, _first.Pending);
        while (_first.CompleteOne(random))
        {
        }
        _controller.Drain();
        for (int i = 0; i < 3; i++)
            Assert.NotNull(Take(1));
    }

    [Fact]
    public void Deallocating_and_zeroing()
    {
        CreateQueue(1);
        byte[] ranges = new byte[32];
        BinaryPrimitives.WriteUInt32LittleEndian(ranges.AsSpan(4), 8);
        BinaryPrimitives.WriteUInt64LittleEndian(ranges.AsSpan(8), 16);
        BinaryPrimitives.WriteUInt32LittleEndian(ranges.AsSpan(20), 1);
        BinaryPrimitives.WriteUInt64LittleEndian(ranges.AsSpan(24), 100);
        Assert.Equal(0, Run(1, 9, 1, _memory.Place(ranges), cdw10: 1, cdw11: 4));
        Assert.Equal([(16 * 512, 8 * 512), (100 * 512, 512)], _first.Discards);
        Assert.Equal(0, Run(1, 8, 1, cdw10: 5, cdw12: 1));
        Assert.Equal(-1, _first.Content.AsSpan(5 * 512, 1024).IndexOfAnyExcept((byte)0));
    }

    [Fact]
    public void The_wire_is_up_while_completions_wait_and_can_be_masked()
    {
        ulong page = _memory.Allocate(4096, 4096);
        Submit(0, 6, 0, page, cdw10: 1);
        Assert.True(_probe.Level(1));
        Set(0x0c, 1);
        Assert.False(_probe.Level(1));
        Set(0x10, 1);
        Assert.True(_probe.Level(1));
        Assert.NotNull(Take(0));
        Assert.False(_probe.Level(1));
    }

    [Fact]
    public void Queues_have_vectors()
    {
        int capability = (int)_controller.ReadConfig(0x34, 1);
        while ((_controller.ReadConfig(capability, 1) & 0xff) != 0x11)
            capability = (int)_controller.ReadConfig(capability + 1, 1);
        _controller.WriteConfig(capability + 2, 2, 0x8000);
        for (uint i = 0; i < 4; i++)
        {
            ulong entry = MsixBar + i * 16;
            Assert.True(_memory.Space.Store(entry, 4, 0xfee0_0000) && _memory.Space.Store(entry + 8, 4, 0x40 + i) && _memory.Space.Store(entry + 12, 4, 0));
        }
        CreateQueue(1, vector: 3);
        Assert.All(_probe.TakeMessages(), m => Assert.Equal(0x40u, m.Data));
        Assert.Equal(0, Run(1, 0, 1));
        Assert.Equal([(0xfee0_0000ul, 0x43u)], _probe.TakeMessages());
        Assert.False(_probe.Level(1));
    }

    [Fact]
    public void Disabled_it_forgets_its_queues()
    {
        CreateQueue(1);
        Set(0x14, 4 << 20 | 6 << 16);
        Assert.Equal(0u, Get(0x1c));
        Set(0x1000, 1); // no queue, no effect
        _queues.Clear();
        Enable();
        CreateQueue(1);
        Assert.Equal(0, Run(1, 0, 1));
        Set(0x14, 4 << 20 | 6 << 16 | 1 << 14 | 1);
        Assert.Equal(9u, Get(0x1c)); // shutdown complete
    }
}
