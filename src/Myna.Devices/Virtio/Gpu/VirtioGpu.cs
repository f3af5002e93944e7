using System.Buffers.Binary;
using Myna.Devices.Display;
using Myna.Hardware.Diagnostics;
using Myna.Hardware.Memory;
using Myna.Hardware.Screens;
using Myna.Hardware.State;

namespace Myna.Devices.Virtio.Gpu;

/// <summary>The GPU device (virtio 1.2, section 5.7) with one scanout, two dimensions and a hardware cursor.</summary>
[Stateful("virtio-gpu")]
public sealed partial class VirtioGpu : VirtioDevice, IScreen
{
    private const ulong FeatureEdid = 1 << 1;
    private const int ControlQueue = 0, CursorQueue = 1, Scanouts = 16, HeaderSize = 24, EdidRoom = 1024;
    private const uint EventDisplay = 1, FlagFence = 1;

    // What a driver may make the host keep.
    private const int MaxResources = 256, MaxBacking = 16384, MaxSize = Surface.MaximumWidth;
    private const long MaxPixels = 32 << 20;

    private readonly Lock _gate = new();
    private readonly DescriptorChain _control = new(), _cursorChain = new();
    [NotSaved("the request under way")]
    private readonly byte[] _request = new byte[64], _response = new byte[HeaderSize + 8 + EdidRoom];

    [Saved(20)] private readonly GpuResource[] _resources;
    [Saved(21)] private uint _events;

    // The resource that is shown, 0 for none, and which part of it.
    [Saved(22)] private uint _scanout;
    [Saved(23)] private GpuRect _rect;
    [Saved(24)] private uint _cursor;
    [Saved(25)] private uint _hotX;
    [Saved(26)] private uint _hotY;
    [Saved(27)] private int _width = 1280;
    [Saved(28)] private int _height = 800;

    [NotSaved("made of the cursor's resource")]
    private CursorImage? _cursorImage;

    [NotSaved("counts what the picture depends on")]
    private int _version;

    [NotSaved("what was drawn last")]
    private (Surface? Surface, int Generation, int Version) _drawn;

    public VirtioGpu(AddressSpace memory, VirtioOptions? options = null, LogChannel? log = null)
        : base(VirtioDeviceId.Gpu, "virtio-gpu", memory, [256, 16], options, log)
    {
        _resources = new GpuResource[MaxResources];
        for (int i = 0; i < MaxResources; i++)
            _resources[i] = new GpuResource();
    }

    public override int ConfigSize => 16;

    public CursorImage? Cursor => Volatile.Read(ref _cursorImage);

    /// <summary>The driver shows something.</summary>
    public bool IsActive => Volatile.Read(ref _scanout) != 0;

    protected override ulong DeviceFeatures => FeatureEdid;

    public void Draw(Surface surface)
    {
        surface.Claim(this);
        lock (_gate)
        {
            if (_scanout == 0 || Find(_scanout) is not { } resource || !_rect.IsIn(resource.Width, resource.Height))
            {
                surface.Resize(_width, _height);
                surface.Fill(0);
                _drawn = default;
                return;
            }
            surface.Resize((int)_rect.Width, (int)_rect.Height);
            if (_drawn == (surface, surface.Generation, _version))
                return;
            _drawn = (surface, surface.Generation, _version);
            for (int y = 0; y < (int)_rect.Height; y++)
                surface.Put(0, y, resource.Row((int)_rect.Y + y).Slice((int)_rect.X, (int)_rect.Width));
        }
    }

    public bool Suggest(int width, int height)
    {
        if (!Running)
            return false;
        lock (_gate)
        {
            _width = Math.Clamp(width, 64, MaxSize);
            _height = Math.Clamp(height, 64, MaxSize);
            _events |= EventDisplay;
        }
        ConfigChanged();
        return true;
    }

    internal override void WriteConfig(ulong offset, int size, ulong value)
    {
        // events_clear.
        if (offset == 4)
        {
            lock (_gate)
                _events &= ~(uint)value;
        }
    }

    protected override void FillConfig(Span<byte> config)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(config, _events);
        BinaryPrimitives.WriteUInt32LittleEndian(config[8..], 1);
    }

    protected override void QueueNotified(int queue)
    {
        Virtqueue q = Queues[queue];
        DescriptorChain chain = queue == ControlQueue ? _control : _cursorChain;
        lock (q.Lock)
        {
            do
            {
                q.DisableNotifications();
                while (q.TryPop(chain))
                {
                    int length;
                    lock (_gate)
                    {
                        length = Handle(chain, queue);
                        length = chain.Write(0, _response.AsSpan(0, length));
                    }
                    q.Push(chain, (uint)length);
                }
                q.Signal();
            }
            while (q.EnableNotifications());
        }
    }

    protected override void Deactivated()
    {
        lock (_gate)
        {
            foreach (GpuResource resource in _resources)
                resource.Destroy();
            _scanout = _cursor = _events = 0;
            _rect = default;
            _cursorImage = null;
            _version++;
        }
    }

    protected override void Sync()
    {
        base.Sync();
        _version++;
        lock (_gate)
            MakeCursor();
    }

    /// <returns>Bytes of the response.</returns>
    private int Handle(DescriptorChain chain, int queue)
    {
        _request.AsSpan().Clear();
        _response.AsSpan().Clear();
        int got = chain.Read(0, _request);
        if (got < HeaderSize)
            return Respond(GpuCommand.ErrInvalidParameter);
        var command = (GpuCommand)U32(0);
        if ((command >= GpuCommand.UpdateCursor) != (queue == CursorQueue))
            return Respond(GpuCommand.ErrUnspec);
        switch (command)
        {
            case GpuCommand.GetDisplayInfo: return DisplayInfo();
            case GpuCommand.GetEdid: return EdidOf(U32(24));
            case GpuCommand.ResourceCreate2D: return Respond(Create(U32(24), (GpuFormat)U32(28), U32(32), U32(36)));
            case GpuCommand.ResourceUnref: return Respond(Unref(U32(24)));
            case GpuCommand.SetScanout: return Respond(SetScanout(Rect(24), U32(40), U32(44)));
            case GpuCommand.ResourceFlush: return Respond(Flush(Rect(24), U32(40)));
            case GpuCommand.TransferToHost2D: return Respond(Transfer(Rect(24), BinaryPrimitives.ReadUInt64LittleEndian(_request.AsSpan(40)), U32(48)));
            case GpuCommand.ResourceAttachBacking: return Respond(Attach(chain, U32(24), U32(28)));
            case GpuCommand.ResourceDetachBacking: return Respond(Detach(U32(24)));
            case GpuCommand.UpdateCursor:
                (_cursor, _hotX, _hotY) = (U32(40), U32(44), U32(48));
                MakeCursor();
                return Respond(GpuCommand.OkNoData);
            // The cursor is where the user's pointer is.
            case GpuCommand.MoveCursor: return Respond(GpuCommand.OkNoData);
            default: return Respond(GpuCommand.ErrUnspec);
        }
    }

    private uint U32(int offset) => BinaryPrimitives.ReadUInt32LittleEndian(_request.AsSpan(offset));

    private GpuRect Rect(int offset) => new(U32(offset), U32(offset + 4), U32(offset + 8), U32(offset + 12));

    private int Respond(GpuCommand type, int length = HeaderSize)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(_response, (uint)type);
        if ((U32(4) & FlagFence) != 0)
        {
            // Flags, fence and context as in the request: whatever was asked is done.
            _request.AsSpan(4, 20).CopyTo(_response.AsSpan(4));
            BinaryPrimitives.WriteUInt32LittleEndian(_response.AsSpan(4), FlagFence);
        }
        return length;
    }

    private int DisplayInfo()
    {
        Span<byte> first = _response.AsSpan(HeaderSize, 24);
        BinaryPrimitives.WriteInt32LittleEndian(first[8..], _width);
        BinaryPrimitives.WriteInt32LittleEndian(first[12..], _height);
        BinaryPrimitives.WriteInt32LittleEndian(first[16..], 1);
        return Respond(GpuCommand.OkDisplayInfo, HeaderSize + Scanouts * 24);
    }

    private int EdidOf(uint scanout)
    {
        if (scanout != 0)
            return Respond(GpuCommand.ErrInvalidParameter);
        BinaryPrimitives.WriteInt32LittleEndian(_response.AsSpan(HeaderSize), Edid.Size);
        Edid.Build(_width, _height).CopyTo(_response.AsSpan(HeaderSize + 8));
        return Respond(GpuCommand.OkEdid, HeaderSize + 8 + EdidRoom);
    }

    private GpuCommand Create(uint id, GpuFormat format, uint width, uint height)
    {
        if (id == 0 || Find(id) is not null)
            return GpuCommand.ErrInvalidResourceId;
        if (!Enum.IsDefined(format) || format == GpuFormat.None || width is 0 or > MaxSize || height is 0 or > MaxSize)
            return GpuCommand.ErrInvalidParameter;
        long pixels = (long)width * height;
        foreach (GpuResource resource in _resources)
            pixels += resource.Bytes / 4;
        if (pixels > MaxPixels || Find(0) is not { } free)
            return GpuCommand.ErrOutOfMemory;
        free.Create(id, format, (int)width, (int)height);
        return GpuCommand.OkNoData;
    }

    private GpuCommand Unref(uint id)
    {
        if (id == 0 || Find(id) is not { } resource)
            return GpuCommand.ErrInvalidResourceId;
        resource.Destroy();
        if (_scanout == id)
            _scanout = 0;
        _version++;
        return GpuCommand.OkNoData;
    }

    private GpuCommand SetScanout(GpuRect rect, uint scanout, uint id)
    {
        if (scanout != 0)
            return GpuCommand.ErrInvalidScanoutId;
        if (id != 0)
        {
            if (Find(id) is not { } resource)
                return GpuCommand.ErrInvalidResourceId;
            if (!rect.IsIn(resource.Width, resource.Height))
                return GpuCommand.ErrInvalidParameter;
        }
        Volatile.Write(ref _scanout, id);
        _rect = rect;
        _version++;
        return GpuCommand.OkNoData;
    }

    private GpuCommand Flush(GpuRect rect, uint id)
    {
        if (id == 0 || Find(id) is not { } resource)
            return GpuCommand.ErrInvalidResourceId;
        if (!rect.IsIn(resource.Width, resource.Height))
            return GpuCommand.ErrInvalidParameter;
        if (id == _scanout)
            _version++;
        return GpuCommand.OkNoData;
    }

    private GpuCommand Transfer(GpuRect rect, ulong offset, uint id)
    {
        if (id == 0 || Find(id) is not { } resource)
            return GpuCommand.ErrInvalidResourceId;
        return rect.IsIn(resource.Width, resource.Height) && resource.Transfer(Memory, rect, offset) ? GpuCommand.OkNoData : GpuCommand.ErrInvalidParameter;
    }

    private GpuCommand Attach(DescriptorChain chain, uint id, uint count)
    {
        if (id == 0 || Find(id) is not { } resource)
            return GpuCommand.ErrInvalidResourceId;
        const int head = HeaderSize + 8, size = 16;
        if (resource.BackingEntries != 0 || count is 0 or > MaxBacking || chain.ReadableLength < head + count * size)
            return GpuCommand.ErrInvalidParameter;
        var backing = new GpuMemory[count];
        Span<byte> entry = stackalloc byte[size];
        for (int i = 0; i < backing.Length; i++)
        {
            chain.Read((uint)(head + i * size), entry);
            backing[i] = new GpuMemory(BinaryPrimitives.ReadUInt64LittleEndian(entry), BinaryPrimitives.ReadUInt32LittleEndian(entry[8..]));
        }
        resource.Attach(backing);
        return GpuCommand.OkNoData;
    }

    private GpuCommand Detach(uint id)
    {
        if (id == 0 || Find(id) is not { } resource)
            return GpuCommand.ErrInvalidResourceId;
        resource.Attach([]);
        return GpuCommand.OkNoData;
    }

    private void MakeCursor()
    {
        const int largest = 128;
        CursorImage? image = null;
        if (_cursor != 0 && Find(_cursor) is { Width: <= largest, Height: <= largest } resource)
        {
            uint[] pixels = new uint[resource.Width * resource.Height];
            for (int y = 0; y < resource.Height; y++)
                resource.Row(y).CopyTo(pixels.AsSpan(y * resource.Width));
            image = new CursorImage(resource.Width, resource.Height, (int)Math.Min(_hotX, largest), (int)Math.Min(_hotY, largest), pixels);
        }
        Volatile.Write(ref _cursorImage, image);
    }

    /// <summary>The resource with an ID, or for 0 a free place; null when there is none.</summary>
    private GpuResource? Find(uint id)
    {
        foreach (GpuResource resource in _resources)
        {
            if (resource.Id == id)
                return resource;
        }
        return null;
    }
}
