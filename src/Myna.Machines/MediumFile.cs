using Myna.Hardware.Backends;
using Myna.Storage;

namespace Myna.Machines;

/// <summary>Opens media for drives of a machine that exists already.</summary>
public static class MediumFile
{
    /// <summary>Opens a raw image: for writing where the drive writes, unless the user wants it otherwise.</summary>
    /// <exception cref="MachineException">It cannot be used; the message is for the user.</exception>
    public static IBlockBackend Open(string path, RemovableDrive? drive = null, bool readOnly = false)
    {
        try
        {
            return DiskImage.Open(path, DiskFormat.Raw, readOnly || drive?.Capacity is null, drive?.Capacity);
        }
        catch (StorageException e)
        {
            throw new MachineException(e.Message, e);
        }
    }
}
