/** What the parts of this page ask the gateway for. */
import {
  useMutation,
  useQuery,
  useQueryClient,
  type UseMutationResult,
  type UseQueryResult,
} from '@tanstack/react-query';
import type { CamerasView, RetentionOverview, TasksView } from '../../../api/views.js';
import { call } from '../../api.js';

/** Another person may confirm meanwhile, and a sweep may run. */
const everyMs = 20_000;

export const useOverview = (): UseQueryResult<RetentionOverview> =>
  useQuery({
    queryKey: ['retention'],
    queryFn: () => call<RetentionOverview>('/api/retention/overview'),
    refetchInterval: everyMs,
  });

export const useCameras = (): UseQueryResult<CamerasView> =>
  useQuery({ queryKey: ['cameras'], queryFn: () => call<CamerasView>('/api/cameras'), refetchInterval: 60_000 });

export const useTasks = (): UseQueryResult<TasksView> =>
  useQuery({ queryKey: ['tasks'], queryFn: () => call<TasksView>('/api/tasks'), refetchInterval: 60_000 });

/** An act, after which everything that it may have changed is asked for again. */
export function useAct<Answer, Input = void>(
  act: (input: Input) => Promise<Answer>,
): UseMutationResult<Answer, Error, Input> {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: act,
    onSettled: () =>
      Promise.all(
        ['retention', 'cameras', 'tasks', 'reports'].map((key) => queries.invalidateQueries({ queryKey: [key] })),
      ),
  });
}

/** What people call a camera; its id where it is not in the register. */
export const labelIn = (cameras: CamerasView | undefined, cameraId: string): string =>
  cameras?.cameras.find((one) => one.cameraId === cameraId)?.label ?? cameraId;
