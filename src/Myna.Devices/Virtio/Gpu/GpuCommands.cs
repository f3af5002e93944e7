namespace Myna.Devices.Virtio.Gpu;

/// <summary>Types of requests and responses (virtio 1.2, section 5.7.6.7).</summary>
internal enum GpuCommand : uint
{
    GetDisplayInfo = 0x100, ResourceCreate2D, ResourceUnref, SetScanout, ResourceFlush, TransferToHost2D, ResourceAttachBacking, ResourceDetachBacking, GetCapsetInfo, GetCapset, GetEdid,
    UpdateCursor = 0x300, MoveCursor,
    OkNoData = 0x1100, OkDisplayInfo, OkCapsetInfo, OkCapset, OkEdid,
    ErrUnspec = 0x1200, ErrOutOfMemory, ErrInvalidScanoutId, ErrInvalidResourceId, ErrInvalidContextId, ErrInvalidParameter,
}

/// <summary>Pixel formats of resources (section 5.7.6.8), named by their bytes from the lowest address on.</summary>
internal enum GpuFormat : uint { None = 0, B8G8R8A8 = 1, B8G8R8X8 = 2, A8R8G8B8 = 3, X8R8G8B8 = 4, R8G8B8A8 = 67, X8B8G8R8 = 68, A8B8G8R8 = 121, R8G8B8X8 = 134 }

/// <summary>struct virtio_gpu_rect.</summary>
internal readonly record struct GpuRect(uint X, uint Y, uint Width, uint Height)
{
    /// <summary>It lies inside of something so wide and high and is not empty.</summary>
    public bool IsIn(int width, int height) => Width != 0 && Height != 0 && (ulong)X + Width <= (ulong)width && (ulong)Y + Height <= (ulong)height;
}

/// <summary>struct virtio_gpu_mem_entry.</summary>
internal readonly record struct GpuMemory(ulong Address, uint Length);
